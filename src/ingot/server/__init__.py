"""One S3 server process: ASGI application, routing, handlers, workers."""
