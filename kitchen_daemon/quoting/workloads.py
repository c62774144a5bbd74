"""From a frozen config and a look at its data to what the run will do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kitchen_core.train.batches import BatchPlan
from kitchen_core.train.model_shape import ModelShape
from kitchen_core.train.preference import REFERENCE_FREE
from kitchen_core.train.workload import Completions, Documents, Method, Work, Workload
from kitchen_daemon.quoting.looking import Lengths, Look, lengths_of

Config = Mapping[str, Any]

KINDS = {
    "supervised": "examples",
    "preference": "comparisons",
    "reinforcement": "prompts",
    "distillation": "prompts",
}
"""What each workflow makes of a row."""

SAMPLED_SHARE = 0.5
"""How much of `max_tokens` an answer takes in the mean, where nothing was measured."""

_COMPARED = 64  # answers that an evaluation scores again
_SIDES = 2
_NOTHING = Work()


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a run. folder: of the tokenizer of the one in training. teachers: beside it all the time;
    reference: at the start alone.
    """

    trained: ModelShape
    folder: Path
    teachers: tuple[ModelShape, ...] = ()
    reference: ModelShape | None = None


def workload(
    workflow: str, config: Config, look: Look, models: Models
) -> tuple[Workload, list[str]]:
    """What a run does, and what was assumed, a line each. Raises KeyError for a workflow that nobody here
    knows.
    """
    make = _WORKLOADS[workflow]
    lengths = lengths_of(look, models.folder, config["max_length"])
    notes: list[str] = []
    if lengths is None:
        lengths = _assumed(config)
        notes.append(
            f"data: not looked at; assumes {lengths.prompt + lengths.learnt:.0f} tokens a row"
        )
    if look.rows is None and config["max_steps"] is None:
        notes.append("data: how many rows there are is not known; assumes 10,000")
    return make(config, look, lengths, models), notes


def _assumed(config: Config) -> Lengths:
    half = min(config["max_length"], 512) / 2
    return Lengths(half, half / 2, half / 2, config["max_length"], round(half))


def _supervised(config: Config, look: Look, lengths: Lengths, models: Models) -> Workload:
    whole = min(lengths.prompt + lengths.learnt, lengths.longest)
    scored = min(1.0, lengths.learnt / (lengths.prompt + lengths.learnt))

    def documents(count: int, share: float) -> Documents:
        return Documents(count, whole, lengths.longest, lengths.spread, scored=share)

    rows, size = _rows(config, look), config["batch_size"]
    held_out = min(config["eval_examples"], _held_out(config, look))
    return _workload(
        config,
        models,
        Work(trained=(documents(min(size, rows), scored),), updates=1),
        Work(read=(documents(held_out, 1.0),), sampled=_asked(config, look, lengths)),
        steps=_steps(config, rows, size),
        rows=rows,
    )


def _preference(config: Config, look: Look, lengths: Lengths, models: Models) -> Workload:
    answer = lengths.learnt / _SIDES
    whole = min(lengths.prompt + answer, lengths.longest)
    shared = lengths.prompt / _SIDES if config["device"] == "cpu" and config["packing"] else 0.0
    scored = min(1.0, answer / max(whole - shared, 1))

    def documents(pairs: int, share: float) -> Documents:
        return Documents(
            _SIDES * pairs, whole, lengths.longest, lengths.spread / _SIDES, shared, share
        )

    rows, size = _rows(config, look), config["batch_size"]
    steps = _steps(config, rows, size)
    held_out = min(config["eval_examples"], _held_out(config, look))
    references = config["loss"] not in REFERENCE_FREE
    used = min(rows, steps * size) + held_out
    return _workload(
        config,
        models,
        Work(trained=(documents(min(size, rows), scored),), updates=1),
        Work(read=(documents(held_out, 1.0),), sampled=_asked(config, look, lengths)),
        start=Work(read=(documents(used, 1.0),)) if references else Work(),
        steps=steps,
        rows=rows,
    )


def _reinforcement(config: Config, look: Look, lengths: Lengths, models: Models) -> Workload:
    groups, size = config["groups_per_batch"], config["group_size"]
    answer = _answer(config)
    whole = lengths.prompt + answer
    shared = lengths.prompt * (1 - 1 / size) if config["device"] == "cpu" else 0.0
    scored = min(1.0, answer / max(whole - shared, 1))
    episodes = Documents(groups * size, whole, config["max_length"], answer / 4, shared, scored)
    read = (episodes,) if config["kl_penalty_coef"] else ()
    rows = _rows(config, look)
    asked = min(config["eval_samples"], _held_out(config, look))
    greedy_and_sampled = 2 * (_completions(config, lengths, asked, asked),) if asked else ()
    return _workload(
        config,
        models,
        Work(
            trained=(episodes,),
            read=read,
            sampled=(_completions(config, lengths, groups * size, groups),),
            updates=config["num_substeps"],
        ),
        Work(sampled=greedy_and_sampled),
        steps=_steps(config, rows, groups),
        copies=1 if config["max_steps_off_policy"] else 0,
    )


def _distillation(config: Config, look: Look, lengths: Lengths, models: Models) -> Workload:
    prompts, size = config["groups_per_batch"], config["group_size"]
    answer = _answer(config)
    whole = lengths.prompt + answer
    scored = answer / whole
    answers = Documents(prompts * size, whole, config["max_length"], answer / 4, scored=scored)
    rows = _rows(config, look)
    held_out = min(config["eval_examples"], _held_out(config, look))
    measured = Documents(held_out, whole, config["max_length"], answer / 4)
    return _workload(
        config,
        models,
        Work(
            trained=(answers,),
            taught=(answers,) if config["mode"] == "on_policy" else (),
            sampled=(_completions(config, lengths, prompts * size, prompts),),
            updates=1,
        ),
        Work(read=(measured,), sampled=_asked(config, look, lengths)),
        steps=_steps(config, rows, prompts),
    )


_WORKLOADS = {
    "supervised": _supervised,
    "preference": _preference,
    "reinforcement": _reinforcement,
    "distillation": _distillation,
}


def _workload(
    config: Config,
    models: Models,
    step: Work,
    evaluation: Work,
    *,
    steps: int,
    start: Work = _NOTHING,
    copies: int = 0,
    rows: int = 0,
) -> Workload:
    every, saves = config["eval_every"], config["save_every"]
    method = Method(
        device=config["device"],
        threads=config["threads"],
        lora_rank=config["lora_rank"],
        lora_targets=tuple(config["lora_targets"]),
        micro_batch_tokens=config["micro_batch_tokens"],
        packing=config["packing"],
        gradient_checkpointing=config["gradient_checkpointing"],
        sampling_batch_size=config["sampling_batch_size"],
    )
    return Workload(
        model=models.trained,
        method=method,
        step=step,
        steps=steps,
        start=start,
        evaluation=evaluation if every else Work(),
        evaluations=1 + -(-steps // every) if every else 0,
        saves=steps // saves if saves else 0,
        teachers=models.teachers,
        reference=models.reference,
        copies=copies,
        rows=rows,
    )


def _asked(config: Config, look: Look, lengths: Lengths) -> tuple[Completions, ...]:
    """Held-out questions are answered twice, sampled and greedily."""
    count = min(config["eval_samples"], _held_out(config, look))
    return 2 * (_completions(config, lengths, count, count),) if count else ()


def _completions(config: Config, lengths: Lengths, rows: int, prompts: int) -> Completions:
    return Completions(
        rows, prompts, lengths.prompt, lengths.longest_prompt, _answer(config), config["max_tokens"]
    )


def _answer(config: Config) -> float:
    return max(1.0, SAMPLED_SHARE * min(config["max_tokens"], config["max_length"]))


def _rows(config: Config, look: Look) -> int:
    """Rows that are trained on."""
    rows = 10_000 if look.rows is None else look.rows
    holds_out = config["eval_every"] and look.test_rows is None and not config["test_dataset"]
    return max(1, round(rows * (1 - config["test_fraction"]))) if holds_out else rows


def _held_out(config: Config, look: Look) -> int:
    if look.test_rows is not None:
        return look.test_rows
    rows = 10_000 if look.rows is None else look.rows
    return rows if config["test_dataset"] else round(rows * config["test_fraction"])


def _steps(config: Config, rows: int, batch_size: int) -> int:
    shares = sum(each["share"] for each in config["mix"].values())
    return len(
        BatchPlan(
            num_examples=round(rows * (1 + shares)),
            batch_size=batch_size,
            num_epochs=config["num_epochs"],
            max_steps=config["max_steps"],
            seed=config["seed"],
        )
    )
