"""Watching the recipe folders, and telling what becomes of every change."""
