"""From comparisons to batches of pairs, and the held-out pairs to measure on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from kitchen_core.stages.data import LoadedData
from kitchen_core.stages.datums import batches_of, first_of, warn
from kitchen_core.stages.held_out import HeldOut, not_measured, question_of, sha256_of_datums
from kitchen_core.train.conversations import Comparison, Conversation
from kitchen_core.train.datums import datum_from_rendered
from kitchen_core.train.pairs import PairPreparation
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.types import Datum
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage

SIDES = 2
"""Datums of one pair: the chosen answer's and, after it, the rejected one's."""


@dataclass(frozen=True)
class HeldOutPairs:
    """Pairs to measure on: datums `[2 * pairs]`, interleaved as in a batch, and each pair's place in
    the data. fingerprint: SHA-256 over the datums.
    """

    datums: list[Datum]
    where: list[str]
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        """Take the fingerprint once: every checkpoint asks for it."""
        object.__setattr__(self, "fingerprint", sha256_of_datums(self.datums))


class BuildComparisons(Stage):
    """Prepare the pairs, plan the batches, and prepare the held-out pairs."""

    name = "BuildComparisons"
    reads = ("dataset", "renderer", "session")
    writes = MappingProxyType(
        {
            "batches": Keeping.REBUILT,
            "held_out_pairs": Keeping.REBUILT,
            "held_out": Keeping.REBUILT,
        }
    )

    async def run(self, ctx: StageContext) -> None:
        """Writes `batches`: DatumBatches of pairs, `held_out_pairs`: HeldOutPairs, and `held_out`:
        HeldOut, their prompts with the chosen answer as the expected one.

        Raises InvalidRequest where the model can't read as much as `max_length`.
        """
        data: LoadedData[Comparison] = ctx.state["dataset"]
        session: TrainingSession = ctx.state["session"]
        max_length = ctx.config.max_length
        preparation = PairPreparation(ctx.state["renderer"], session.tokenizer, max_length)
        ctx.state["batches"] = await batches_of(ctx, data, preparation, width=SIDES, unit="pairs")
        comparisons = await first_of(ctx, data.test, ctx.config.eval_examples)
        pairs, questions, left_out = await ctx.wait(
            asyncio.to_thread(held_out_pairs, comparisons, preparation)
        )
        ctx.state["held_out_pairs"] = pairs
        ctx.state["held_out"] = questions
        warn(ctx, *left_out)


def held_out_pairs(
    comparisons: Sequence[Comparison], preparation: PairPreparation
) -> tuple[HeldOutPairs, HeldOut, list[str]]:
    """Held-out comparisons as pairs and as questions, and what there is to say of those that are not
    measured.

    A question can't be cut without becoming another one, so those that fill `max_length` are left
    out.
    """
    datums: list[Datum] = []
    measured: list[Comparison] = []
    prompts: list[list[int]] = []
    too_long, untrained = 0, 0
    for comparison in comparisons:
        prompt = preparation.renderer.prompt(comparison.prompt)
        sequences = preparation.sequences(comparison)
        if len(prompt) >= preparation.max_length:
            too_long += 1
        elif not sequences:
            untrained += 1
        else:
            datums += [datum_from_rendered(each) for each in sequences]
            measured.append(comparison)
            prompts.append(prompt)
    asked = [_asked(comparison) for comparison in measured]
    questions = HeldOut(
        [], prompts, [question_of(each) for each in asked], [each.answer for each in asked]
    )
    pairs = HeldOutPairs(datums, [comparison.where for comparison in measured])
    return pairs, questions, not_measured(len(comparisons), too_long, untrained, preparation)


def _asked(comparison: Comparison) -> Conversation:
    """The prompt and the chosen answer to it; what may come after is not asked for."""
    return comparison.chosen.upto(len(comparison.prompt.messages) + 1)
