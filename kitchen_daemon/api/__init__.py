"""The HTTP API: routes translate; the work is in the packages that they call."""
