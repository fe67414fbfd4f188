"""What leaves a run: its stages' records, its report, its submission, and their checks."""
