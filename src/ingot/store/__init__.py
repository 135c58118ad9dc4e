"""The object store without HTTP: buckets, objects, uploads and listing."""
