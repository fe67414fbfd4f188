"""The arithmetic language: parse, solve exactly, render, sample, split."""
