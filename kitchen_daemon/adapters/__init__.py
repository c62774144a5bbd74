"""What serves each port, how it stands, and whether it answers."""
