"""What a run tells the world: events, metrics, and how both are emitted."""
