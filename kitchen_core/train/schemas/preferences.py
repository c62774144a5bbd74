"""Preference rows: a prompt with an answer that was chosen and one that was rejected."""

from __future__ import annotations

from kitchen_core.train.conversations import Comparison, Conversation, shared_turns
from kitchen_core.train.schemas.cells import Cell
from kitchen_core.train.schemas.speaking import Fields, answering, conversation, said


def read_chosen(row: Fields) -> Conversation:
    """The prompt and the chosen answer."""
    return _side(row, row["chosen"])


def read_comparison(row: Fields) -> Comparison:
    """Both sides, which begin with the same prompt and go on with different answers.

    Raises RowError where they begin differently, or say the same.
    """
    chosen, rejected = (_side(row, row[side]) for side in ("chosen", "rejected"))
    if chosen.messages == rejected.messages:
        raise row["rejected"].refused(
            "says what the chosen says, so there is nothing to prefer; take the row out"
        )
    shared = shared_turns(chosen, rejected)
    for side in (chosen, rejected):
        if side.messages[shared].role != "assistant":
            raise row["rejected"].refused(
                f"answers another prompt than the chosen: they differ in turn {shared + 1}, the "
                f"{side.messages[shared].role}'s; give both sides the same prompt"
            )
    return Comparison(chosen, rejected, chosen.where)


def _side(row: Fields, side: Cell) -> Conversation:
    """The prompt and one side's answer. The side may hold the prompt too, or alone."""
    prompt_cell = row["prompt"] if row["prompt"].given else row["conversations"]
    prompt = said(prompt_cell, "user") if prompt_cell.given else []
    turns = answering(side)
    if turns[0].role != "assistant":
        if not set(prompt) <= set(turns):
            raise side.refused(f"neither continues what '{prompt_cell.field}' says nor repeats it")
        return conversation(row, side, turns)
    if not prompt:
        raise side.refused('answers no prompt; name its column with fields={"prompt": COLUMN}')
    return conversation(row, prompt_cell, prompt + turns)
