"""Environments: what a policy is asked, and what its answers are worth."""

from kitchen_core.train.environments.base import (
    Env,
    EnvGroupBuilder,
    Environment,
    Outcome,
)
from kitchen_core.train.environments.registry import (
    environment_names,
    get_environment,
    register_environment,
)
from kitchen_core.train.environments.retries import with_retries
from kitchen_core.train.environments.shaping import length_rewards, with_group_rewards
from kitchen_core.train.environments.tool_use import with_tools
from kitchen_core.train.environments.tools import Tool, tool

__all__ = [
    "Env",
    "EnvGroupBuilder",
    "Environment",
    "Outcome",
    "Tool",
    "environment_names",
    "get_environment",
    "length_rewards",
    "register_environment",
    "tool",
    "with_group_rewards",
    "with_retries",
    "with_tools",
]
