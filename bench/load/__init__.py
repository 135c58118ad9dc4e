"""A load program for S3 servers: signed GET, HEAD and PUT over raw HTTP/1.1 connections."""
