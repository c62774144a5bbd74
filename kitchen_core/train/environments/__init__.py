"""Environments: what a policy is asked, and what its answers are worth."""

from kitchen_core.train.environments.base import (
    Env,
    EnvGroupBuilder,
    Environment,
    Outcome,
)

__all__ = ["Env", "EnvGroupBuilder", "Environment", "Outcome"]
