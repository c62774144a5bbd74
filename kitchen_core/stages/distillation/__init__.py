"""One step of distillation: answers, what the teachers make of them, the gradient, and what there is to
say about it.
"""

from kitchen_core.stages.distillation.answering import AnswerPrompts
from kitchen_core.stages.distillation.learning import BuildDistillDatums, ForwardBackwardDistill
from kitchen_core.stages.distillation.reporting import LogDistillation, LogDistilled

__all__ = [
    "AnswerPrompts",
    "BuildDistillDatums",
    "ForwardBackwardDistill",
    "LogDistillation",
    "LogDistilled",
]
