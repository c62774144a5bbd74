"""Artifacts on their way to a blob store, and back."""
