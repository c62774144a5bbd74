"""Rows as a run would train on them."""

from __future__ import annotations

from pydantic import Field

from kitchen_daemon.models.base import Model
from kitchen_daemon.models.launches import Launch


class RenderRequest(Model):
    """Rows to be shown as a launch would train on them; nothing is queued."""

    launch: Launch
    rows: int = Field(default=5, ge=1, le=1000)


class RenderedSegment(Model):
    """Neighbouring tokens that are all trained, or all not. tokens: how many."""

    text: str
    trained: bool
    tokens: int


class RenderedSequence(Model):
    """One sequence to train on: a row gives one, or one for each trained turn, or two of a pair.

    side: of a pair, chosen or rejected; else empty. num_tokens: those that are read,
    num_loss_tokens: those that are trained, num_cut: those beyond max_length. A sequence with nothing
    to train is left out of the run, and the other side of its pair with it.

    asked: it is a prompt: nothing of it is trained, but what is answered to it; side teacher: what the
    teacher alone reads. expected: the right answer, as far as the data says. fits: whether the prompt
    leaves room for an answer; else it is left out of the run.
    """

    where: str
    side: str = ""
    segments: list[RenderedSegment]
    num_tokens: int
    num_loss_tokens: int
    num_cut: int
    asked: bool = False
    expected: str = ""
    fits: bool = True


class RenderedRows(Model):
    """The first rows of a dataset as a run would train on them.

    num_rows: of the rows shown. total_rows: of the data that they are the first of. refusal: what a
    run would end with if all rows were like these; empty where it would not.
    """

    dataset: str
    schema_name: str
    num_rows: int
    total_rows: int
    sequences: list[RenderedSequence]
    refusal: str = ""


class RenderedMix(RenderedRows):
    """Rows that are mixed in: `share` of them for each one of the dataset."""

    share: float


class Rendering(RenderedRows):
    """A launch's dataset, and what is mixed into it, as a run would train on them."""

    recipe: str
    model: str
    renderer: str
    train_on: str
    max_length: int
    mixed: list[RenderedMix] = Field(default_factory=list)
