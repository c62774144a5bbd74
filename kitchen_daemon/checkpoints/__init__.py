"""The checkpoints that services keep, seen and changed with the keys of this home."""
