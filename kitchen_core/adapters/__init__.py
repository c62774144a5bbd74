"""A package per outside system; each serves one or more ports and is found by entry point."""
