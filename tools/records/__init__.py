"""From rows to what a model is fed: prompts, tokenizers, examples, MindRecord files."""
