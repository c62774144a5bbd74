"""The workflows that ship with the kitchen, and the registry that finds them by name."""

from kitchen_core.workflows.distillation import DistillationConfig, distillation
from kitchen_core.workflows.preference import PreferenceConfig, preference
from kitchen_core.workflows.registry import WORKFLOWS
from kitchen_core.workflows.reinforcement import reinforcement
from kitchen_core.workflows.reinforcement_config import ReinforcementConfig
from kitchen_core.workflows.supervised import SupervisedConfig, supervised
from kitchen_core.workflows.training import TrainingConfig

__all__ = [
    "WORKFLOWS",
    "DistillationConfig",
    "PreferenceConfig",
    "ReinforcementConfig",
    "SupervisedConfig",
    "TrainingConfig",
    "distillation",
    "preference",
    "reinforcement",
    "supervised",
]
