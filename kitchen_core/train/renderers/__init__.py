"""Renderers: a conversation as tokens, with a mark on those that are trained."""

from kitchen_core.train.renderers.base import (
    Parsed,
    Rendered,
    Renderer,
    RenderError,
    Stop,
    TrainOnWhat,
)
from kitchen_core.train.renderers.registry import (
    get_renderer,
    register_renderer,
    renderer_names,
)
from kitchen_core.train.renderers.template import TemplateRenderer

__all__ = [
    "Parsed",
    "RenderError",
    "Rendered",
    "Renderer",
    "Stop",
    "TemplateRenderer",
    "TrainOnWhat",
    "get_renderer",
    "register_renderer",
    "renderer_names",
]
