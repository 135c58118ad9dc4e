"""The command-line client's logic: aliases, addresses, plans, execution, watching."""
