"""The inside of a running machine: its console, status and agent, and commands in it."""
