"""Flat scripts that do what a workflow does, in plain torch and transformers: what the kitchen is held against."""
