"""Settings as data: YAML files read into checked models, faults named by file and line."""
