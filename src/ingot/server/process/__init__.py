"""From settings to running processes: directory, keys, ports, workers, banner."""
