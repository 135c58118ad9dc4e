"""The ingot command: lazy groups, printing, progress, completion."""
