"""How many logits are held at once."""

from __future__ import annotations

CHUNK_LOGITS = {"cpu": 2**23, "cuda": 2**27}
"""With their gradient 64 MB and 1.5 GB. Small chunks stay in a CPU's cache; a GPU wants a thousand tokens
even of a vocabulary of 150,000.
"""
