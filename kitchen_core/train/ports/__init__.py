"""The ports: one protocol a module. Stages call them, adapters implement them."""
