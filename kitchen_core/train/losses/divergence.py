"""How far two distributions over the vocabulary are apart, at each position."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kitchen_core.train.naming import nearest
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.types import Divergence

if TYPE_CHECKING:
    from torch import Tensor


def reverse_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(student || teacher), `[...]`, from logprobs `[..., vocab]`: the student does only what the
    teacher might.
    """
    return (student.exp() * (student - teacher)).sum(-1)


def forward_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(teacher || student), `[...]`, from logprobs `[..., vocab]`: the student does all that the
    teacher might.
    """
    return (teacher.exp() * (teacher - student)).sum(-1)


DIVERGENCES: Mapping[Divergence, Callable[[Tensor, Tensor], Tensor]] = {
    "reverse_kl": reverse_kl,
    "forward_kl": forward_kl,
}


def check_divergence(name: str) -> None:
    """Raises InvalidRequest where there is no divergence of that name."""
    if name not in DIVERGENCES:
        raise InvalidRequest(
            f"there is no divergence '{name}'{nearest(name, DIVERGENCES)}",
            hint=f"Use {' or '.join(DIVERGENCES)}.",
        )
