"""Worked solutions: each kind of problem solved step by step, in lines that can be recomputed.

docs/worked-solutions.md says what each line means; `tools.corpus.check_lines` verifies them
independently of what stands here.
"""
