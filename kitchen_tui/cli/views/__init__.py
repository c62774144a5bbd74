"""How things look: what the commands print for people."""
