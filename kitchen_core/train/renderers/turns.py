"""Which turns of a conversation are trained, and into how many sequences that makes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.renderers.base import Rendered, RenderError, TrainOnWhat
from kitchen_core.train.types import Message


def trained_turns(messages: Sequence[Message], train_on: TrainOnWhat) -> list[bool]:
    """For each turn, whether what is said in it is trained.

    `last_assistant_turn` is every assistant message after the last user message, with the tools'
    answers between them left out. Raises RenderError where the turns' own `trainable` marks and
    `train_on` contradict each other.
    """
    _check_marks(messages, train_on)
    last = len(messages) - 1
    turn_start = 1 + max(
        (i for i, message in enumerate(messages[:-1]) if message.role == "user"), default=-1
    )
    return [
        _is_trained(message, train_on, is_last=i == last, in_last_turn=i >= turn_start)
        for i, message in enumerate(messages)
    ]


def _is_trained(
    message: Message, train_on: TrainOnWhat, *, is_last: bool, in_last_turn: bool
) -> bool:
    answers = message.role == "assistant"
    match train_on:
        case "last_assistant_message":
            return answers and is_last
        case "last_assistant_turn":
            return answers and in_last_turn
        case "all_assistant_messages":
            return answers
        case "all_messages" | "all_tokens":
            return True
        case "all_user_and_system_messages":
            return message.role in ("user", "system")
        case "customized":
            return bool(message.trainable)


def _check_marks(messages: Sequence[Message], train_on: TrainOnWhat) -> None:
    marked = any(message.trainable is not None for message in messages)
    if train_on == "customized" and not marked:
        raise RenderError("train_on=customized trains turns marked `trainable`, and none is marked")
    if train_on != "customized" and marked:
        raise RenderError(
            f"its turns are marked `trainable`, which train_on={train_on} would not look at; "
            "set train_on=customized, or take the marks out"
        )


def one_per_trained_turn(
    conversation: Conversation,
    train_on: TrainOnWhat,
    supervised: Callable[[Conversation, TrainOnWhat], Rendered],
) -> list[Rendered]:
    """The sequences for a renderer that spells an answer otherwise once it is history: one for each
    trained answer, ending with it, as it stood when it was given.

    Where no answer but the last turn's is trained, that is the whole conversation. Raises
    RenderError where earlier answers are to be trained together with turns that are not answers.
    """
    messages = conversation.messages
    trained = [i for i, on in enumerate(trained_turns(messages, train_on)) if on]
    answers = [i for i in trained if messages[i].role == "assistant"]
    if not any(i < len(messages) - 1 for i in answers):
        return [supervised(conversation, train_on)]
    if answers != trained:
        raise RenderError(
            f"train_on={train_on} trains earlier answers with other turns in one sequence, but this "
            "renderer spells an answer otherwise once it is history; "
            "set train_on=all_assistant_messages"
        )
    return [supervised(_as_answered(conversation, i), "last_assistant_message") for i in answers]


def _as_answered(conversation: Conversation, i: int) -> Conversation:
    """The conversation up to answer `i`; that `i` is trained has been decided."""
    messages = (replace(message, trainable=None) for message in conversation.messages[: i + 1])
    return replace(conversation, messages=tuple(messages))
