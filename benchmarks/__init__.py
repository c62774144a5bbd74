"""What the kitchen costs, measured: each module runs by itself with `python -m benchmarks.NAME`."""
