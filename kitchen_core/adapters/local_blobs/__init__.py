"""Content-addressed files in a folder of this machine."""
