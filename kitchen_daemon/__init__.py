"""The daemon: it queues runs, gives each a worker process, and serves what the run store knows."""
