"""A machine's life: started, waited for, measured, saved, stopped, removed."""
