"""What answers on the console port."""
