"""A small S3 client: one method per operation, and the multipart transfer engine.

Begin at `client.S3Client` (operations) and `transfer.Transfers` (files, whole objects).
"""
