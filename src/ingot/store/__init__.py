"""The object store without HTTP: buckets, objects, uploads and listing.

Read `store.py` first: it puts the parts together. Then `objects.py` and `changes.py` (one PUT),
`keys.py` and `records.py` (what the catalog holds), `catalog/contract.py` and `blobs/contract.py`
(what an engine must do). `docs/explanation/on-disk-format.md` specifies the bytes.
"""
