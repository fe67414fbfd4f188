"""A submission measured again by the grader's own code, each of its claims beside what is found."""
