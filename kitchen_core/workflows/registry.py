"""Workflows and stages by name, for whoever lists or describes them."""

from __future__ import annotations

from typing import Any

from kitchen_core.workflow.graph import Workflow, stages_of
from kitchen_core.workflows.distillation import distillation
from kitchen_core.workflows.preference import preference
from kitchen_core.workflows.reinforcement import reinforcement
from kitchen_core.workflows.supervised import supervised

WORKFLOWS: dict[str, Workflow] = {
    workflow.name: workflow for workflow in (supervised, preference, reinforcement, distillation)
}


def stage_schemas(workflow: Workflow) -> list[dict[str, Any]]:
    """What each stage of a workflow is, once each, in order of first use."""
    found = {stage.name: stage.schema() for stage in stages_of(workflow.body)}
    return list(found.values())
