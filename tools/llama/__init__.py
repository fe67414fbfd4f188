"""LLaMA as MindFormers writes it: shapes, names, checkpoints, LoRA algebra, decoding."""
