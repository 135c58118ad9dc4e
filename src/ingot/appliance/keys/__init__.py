"""How the keys of appliance files are read: one module for each group of keys."""
