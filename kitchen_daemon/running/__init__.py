"""Queued runs at work: handing them to workers, executing one, and going on from where it stopped."""
