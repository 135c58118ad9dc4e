"""Events: what happens to objects, told to those who listen, whichever worker they reached."""
