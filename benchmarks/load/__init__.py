"""A home under load: thousands of runs, clients that ask and follow, workers that write."""
