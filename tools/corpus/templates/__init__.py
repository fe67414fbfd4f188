r"""Competition problems in English from templates of our own, answer in a \boxed{...}.

They stand in for the contest's English rows, whose texts are not ours to copy: as varied in the
form of their answers, two thirds of them numbers, though easier. Every answer is computed in
integers or fractions.
"""
