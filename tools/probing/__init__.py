"""How many directions a model's matrices use, and what that says for the ranks of a LoRA."""
