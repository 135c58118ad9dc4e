"""What is known to be wrong with the packages of an appliance, by advisory files."""
