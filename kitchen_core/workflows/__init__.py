"""The workflows that ship with the kitchen, and the registry that finds them by name."""

from kitchen_core.workflows.registry import WORKFLOWS
from kitchen_core.workflows.supervised import SupervisedConfig, supervised

__all__ = ["WORKFLOWS", "SupervisedConfig", "supervised"]
