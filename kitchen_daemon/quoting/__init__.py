"""Quotes: what a run is expected to take, before it begins."""
