"""Time as people write it: moments, times that come again, and hours; and what happens when they come."""
