"""The ground of every room: errors, limits, units, clock, paths, logging, retry, files."""
