"""One problem at a time asked of two models, and what is right in their answers."""
