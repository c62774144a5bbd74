"""Renderers by name."""

from __future__ import annotations

from collections.abc import Callable

from kitchen_core.train.naming import nearest
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.renderers.base import Renderer, RenderError
from kitchen_core.train.renderers.llama3 import Llama3Renderer
from kitchen_core.train.renderers.qwen3 import Qwen3InstructRenderer, Qwen3Renderer
from kitchen_core.train.renderers.role_colon import RoleColonRenderer
from kitchen_core.train.renderers.template import TemplateRenderer

RendererFactory = Callable[[Tokenizer], Renderer]


def _auto(tokenizer: Tokenizer) -> Renderer:
    """The model's own chat template; for a model without one, plain text."""
    return (
        TemplateRenderer(tokenizer) if tokenizer.has_chat_template else RoleColonRenderer(tokenizer)
    )


_FACTORIES: dict[str, RendererFactory] = {
    "auto": _auto,
    "template": TemplateRenderer,
    "role_colon": RoleColonRenderer,
    "qwen3": Qwen3Renderer,
    "qwen3_instruct": Qwen3InstructRenderer,
    "llama3": Llama3Renderer,
}


def register_renderer(name: str, factory: RendererFactory) -> None:
    """Make a renderer known, for example from a recipe's module. Raises ValueError where the name is
    taken by another.
    """
    if _FACTORIES.get(name, factory) is not factory:
        raise ValueError(f"there is a renderer {name} already; take another name")
    _FACTORIES[name] = factory


def get_renderer(name: str, tokenizer: Tokenizer) -> Renderer:
    """The renderer of that name for a model's tokenizer.

    Raises RenderError for a name that is not known, or a tokenizer that lacks what it needs.
    """
    if name not in _FACTORIES:
        known = ", ".join(_FACTORIES)
        raise RenderError(
            f"there is no renderer '{name}'; known are {known}{nearest(name, _FACTORIES)}"
        )
    return _FACTORIES[name](tokenizer)


def renderer_names() -> tuple[str, ...]:
    """Every name that is known."""
    return tuple(_FACTORIES)
