"""Reinforcement learning over plain data: from groups of episodes to what a policy loss wants."""
