"""The model hub, asked with the token of this home."""
