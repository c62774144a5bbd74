"""Ports of the workflows, beside those of the training domain."""
