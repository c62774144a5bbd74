"""The `kitchen` command line.

The commands stay light: what is slow to import (the client, rich) is imported by the command that
needs it, so that help and completion answer at once.
"""
