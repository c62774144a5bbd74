"""Content-addressed files at any address that fsspec knows: S3 and the like, the hub, a server."""
