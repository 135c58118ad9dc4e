"""Verbs about buckets and the settings of buckets and objects; one file for each."""
