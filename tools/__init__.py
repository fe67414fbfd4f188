"""The pipeline: one click script a stage, and below them one package a subject."""
