"""The stages, a module a topic. They orchestrate: `train` computes, ports reach outside."""
