"""Showing rows as a launch would train on them."""
