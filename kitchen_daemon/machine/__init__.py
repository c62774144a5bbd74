"""What the kitchen knows of the machine: its devices, who uses them, how busy it is, what it draws."""
