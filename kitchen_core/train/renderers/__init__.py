"""Renderers: a conversation as tokens, with a mark on those that are trained."""

from kitchen_core.train.renderers.template import Rendered, RenderError, TemplateRenderer

__all__ = ["RenderError", "Rendered", "TemplateRenderer"]
