"""From a launch to a queued run with everything about it frozen."""
