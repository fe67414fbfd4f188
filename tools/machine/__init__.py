"""What a run needs of the machine and what the machine has; runs with the standard library alone.

`make doctor` comes before `make setup`: nothing here may import what is installed into .venv.
"""
