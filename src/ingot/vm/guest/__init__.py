"""Commands in a running guest whose input and output flow while they run."""
