"""A load program for S3 servers: signed requests over raw HTTP/1.1 connections."""
