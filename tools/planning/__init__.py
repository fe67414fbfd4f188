"""What a run will need and bring, before cards are spent: parameters, memory, hours, score."""
