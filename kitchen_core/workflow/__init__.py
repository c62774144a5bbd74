"""How a run is orchestrated: stages, the graph that places them, the context they work in, the
runner, checkpoints.
"""
