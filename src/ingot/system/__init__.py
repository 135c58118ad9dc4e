"""What the appliance's operating system is made of: one folder per component."""
