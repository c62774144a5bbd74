"""Environments: what a policy is asked, and what its answers are worth."""

from kitchen_core.train.environments.base import (
    Env,
    EnvGroupBuilder,
    Environment,
    Outcome,
)

__all__ = ["Env", "EnvGroupBuilder", "Environment", "Outcome"]
from kitchen_core.train.environments.provisional import (
    environment_names,
    get_environment,
    register_environment,
)
