"""Verbs that list, move, show and remove objects; one file for each."""
