"""Samples of every kind, as the stages log them."""

from __future__ import annotations

import math
from typing import Any

from kitchen_core.telemetry.schema import Event, EventKind
from tests.kitchen_tui.support import event


def scored(*tokens: tuple[str, float]) -> list[tuple[str, float]]:
    """Tokens given with their probabilities, as texts with logprobs."""
    return [(text, math.log(share)) for text, share in tokens]


def row(seq: int, step: int, **changes: Any) -> Event:
    """A row of the next batch."""
    told = {
        "kind": "train",
        "index": 0,
        "where": "chat.jsonl row 7",
        "segments": [
            {"text": "<|user|>1+1?\n<|assistant|>", "trained": False, "tokens": 6},
            {"text": "2\n<|end|>", "trained": True, "tokens": 3},
            {"text": "\n", "trained": False, "tokens": 1},
        ],
        "num_tokens": 10,
        "num_loss_tokens": 3,
    }
    return event(seq, EventKind.SAMPLE_LOGGED, step=step, metadata=told | changes)


def answer(seq: int, step: int, completion: str, *, index: int = 0, **changes: Any) -> Event:
    """An answer to a held-out question."""
    told = {
        "kind": "answer",
        "index": index,
        "prompt": "1+1?",
        "question": "1+1?",
        "completion": completion,
        "expected": "2",
        "correct": completion == "2",
    }
    measured = {"logprob": -0.5}
    metadata = told | changes
    return event(seq, EventKind.SAMPLE_LOGGED, step=step, metadata=metadata, measurements=measured)


def pair(
    seq: int,
    step: int,
    *,
    chosen_reward: float = 0.25,
    rejected_reward: float = -0.5,
    **changes: Any,
) -> Event:
    """A pair of answers."""
    told = {
        "kind": "pair",
        "index": 0,
        "where": "pairs.jsonl row 3",
        "prompt": "What is 12 + 7?",
        "chosen": "\\boxed{19}",
        "rejected": "\\boxed{29}",
        "chosen_tokens": scored(("\\boxed{", 0.8), ("1", 0.9), ("9", 0.95), ("}", 0.99)),
        "rejected_tokens": scored(("\\boxed{", 0.8), ("2", 0.005), ("9", 0.4), ("}", 0.99)),
    }
    measured = {
        "chosen_reward": chosen_reward,
        "rejected_reward": rejected_reward,
        "margin": chosen_reward - rejected_reward,
    }
    metadata = told | changes
    return event(seq, EventKind.SAMPLE_LOGGED, step=step, metadata=metadata, measurements=measured)


def rollout(
    seq: int,
    step: int,
    *,
    index: int = 0,
    reward: float = 1.0,
    advantage: float | None = 0.25,
    **changes: Any,
) -> Event:
    """An episode in an environment, of one turn."""
    told = {
        "kind": "rollout",
        "index": index,
        "group": 0,
        "where": "builtin:math row 12",
        "question": "What is 12 + 7?",
        "expected": "\\boxed{19}",
        "tags": ["math"],
        "error": None,
        "version": step,
        "turns": [
            {
                "prompt": "What is 12 + 7?",
                "tokens": scored(("\\boxed{", 0.8), ("1", 0.04), ("9", 0.3), ("}<|end|>", 0.9)),
                "rewards": {"correct": 1.0, "format": 0.0},
                "told": "",
            }
        ],
        "rewards": {"correct": 1.0, "format": 0.0},
    }
    measured = {"reward": reward} | ({} if advantage is None else {"advantage": advantage})
    metadata = told | changes
    return event(seq, EventKind.SAMPLE_LOGGED, step=step, metadata=metadata, measurements=measured)


def turn(text: str, told: str = "", **rewards: float) -> dict[str, Any]:
    """One turn of an episode."""
    return {"prompt": "Guess.", "tokens": scored((text, 0.9)), "rewards": rewards, "told": told}


def distilled(seq: int, step: int, **changes: Any) -> Event:
    """An answer that student and teacher have scored."""
    told = {
        "kind": "distilled",
        "index": 0,
        "where": "builtin:prompts row 5",
        "question": "What is 12 + 7?",
        "prompt": "What is 12 + 7?",
        "teacher": "run:1qnc00000009",
        "tokens": [
            ("\\boxed{", math.log(0.5), math.log(0.95)),
            ("2", math.log(0.4), math.log(0.02)),
            ("9", math.log(0.6), math.log(0.25)),
            ("}", math.log(0.9), math.log(0.9)),
            ("<|end|>", None, math.log(0.9)),
        ],
    }
    return event(
        seq,
        EventKind.SAMPLE_LOGGED,
        step=step,
        metadata=told | changes,
        measurements={"kl": 0.75},
    )


def every_kind() -> list[Event]:
    """A sample or more of each kind."""
    tokens = scored(("2", 0.7), ("7", 0.03), ("<|end|>", 0.3))
    return [
        row(1, 10),
        pair(2, 10),
        pair(3, 10, index=1, chosen_reward=-0.1, rejected_reward=0.1),
        rollout(4, 10),
        rollout(5, 10, index=1, reward=-0.1, advantage=-0.75),
        rollout(
            6,
            10,
            index=2,
            group=1,
            question="Guess.",
            turns=[turn("5", "Higher.", near=0.5), turn("9", "Yes!", right=1.0)],
            rewards={"near": 0.5, "right": 1.0},
            reward=1.5,
            version=8,
        ),
        rollout(
            7,
            10,
            index=3,
            group=1,
            question="Guess.",
            turns=[],
            error="Timeout: no answer",
            advantage=None,
            rewards={},
        ),
        distilled(8, 10),
        answer(9, 10, "27", tokens=tokens),
    ]
