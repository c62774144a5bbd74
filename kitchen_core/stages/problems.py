"""From examples to problems: what the policy is asked, batch by batch, and what it is measured on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from types import MappingProxyType

import numpy as np

from kitchen_core.config import ConfigError
from kitchen_core.refs import RefError
from kitchen_core.slices import drain
from kitchen_core.stages.data import LoadedData
from kitchen_core.stages.datums import check_length, plan_of, shortfalls, unused, warn
from kitchen_core.stages.examples import ExampleStream
from kitchen_core.stages.grading import bridge_grader
from kitchen_core.stages.watching import Watch
from kitchen_core.train import rng
from kitchen_core.train.batches import BatchPlan
from kitchen_core.train.conversations import Conversation, Example
from kitchen_core.train.datums import datum_of_completion
from kitchen_core.train.environments import EnvGroupBuilder, Environment, get_environment
from kitchen_core.train.grading import Grader
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.naming import nearest
from kitchen_core.train.renderers import Renderer
from kitchen_core.train.schemas import RowError
from kitchen_core.train.types import Datum
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


@dataclass(frozen=True)
class Problem:
    """A problem, and its first prompt as tokens `[seq]`."""

    builder: EnvGroupBuilder
    prompt: list[int]


@dataclass(frozen=True)
class ProblemBatch:
    """The problems of one step, which step it is, and the epoch that they belong to."""

    index: int
    groups: list[EnvGroupBuilder]
    epoch: int


class ProblemBatches(Sequence[ProblemBatch]):
    """The run's batches by index: the dataset's problems, then those of each mixed set.

    fingerprint: SHA-256 over what they depend on.
    """

    def __init__(self, sets: Sequence[Sequence[Problem]], plan: BatchPlan, made_from: str) -> None:
        self._sets = sets
        self._starts = [0, *accumulate(len(each) for each in sets)]
        self._plan = plan
        counts = [len(each) for each in sets]
        self.fingerprint = sha256_of_json([made_from, counts, plan.fingerprint])

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> ProblemBatch:  # type: ignore[override]  # no slices
        numbers = self._plan[index]
        groups = [self._find(number).builder for number in numbers]
        return ProblemBatch(index, groups, self._plan.epoch(index))

    def further(self, index: int, start: int, count: int) -> list[EnvGroupBuilder]:
        """`count` problems of its epoch to try in place of some of batch `index`, none of which is in
        it: a stretch from `start` on of an order of its own. Fewer where there are no more.
        """
        problems = self._plan.of_epoch(self._plan.epoch(index))
        order = rng.stream(self._plan.seed, "further", index).permutation(np.unique(problems))
        others = order[~np.isin(order, self._plan[index])]
        return [self._find(int(number)).builder for number in others[start : start + count]]

    def probe(self, count: int) -> list[Datum]:
        """Prompts to try a model on."""
        prompts = [self._find(number).prompt for number in self._plan[0][:count]]
        return [datum_of_completion(prompt[:1], prompt[1:]) for prompt in prompts]

    def _find(self, number: int) -> Problem:
        """A problem by its number through all sets."""
        which = bisect_right(self._starts, number) - 1
        return self._sets[which][number - self._starts[which]]


@dataclass(frozen=True)
class HeldOutProblems:
    """The problems that evaluation asks."""

    groups: list[EnvGroupBuilder]
    fingerprint: str


class BuildEnvGroups(Stage):
    """Pose a problem of each example, plan the batches, and keep the held-out ones to measure on."""

    name = "BuildEnvGroups"
    reads = ("dataset", "renderer", "session")
    writes = MappingProxyType({"batches": Keeping.REBUILT, "held_out": Keeping.REBUILT})
    ports = ("python_bridge",)

    async def run(self, ctx: StageContext) -> None:
        """Writes `batches`: ProblemBatches, and `held_out`: HeldOutProblems.

        Raises RowError for an example that poses no problem, ConfigError for a weight of a part that no
        problem rewards, InvalidRequest where the model can't read as much as `max_length`.
        """
        data: LoadedData = ctx.state["dataset"]
        config = ctx.config
        check_length(config.max_length, ctx.state["session"])
        posing = Posing(ctx, bridge_grader(ctx.port("python_bridge")))
        train = await posing.problems(data.train, config.env)
        names = [config.env, *(config.mix[each.ref].env or config.env for each in data.mixed)]
        mixed = [
            await posing.problems(each.examples, name)
            for each, name in zip(data.mixed, names[1:], strict=True)
        ]
        _check_weights(config.reward_weights, [train, *mixed])
        sizes = [len(each) for each in mixed]
        plan = plan_of(config, config.groups_per_batch, data, len(train), sizes)
        made_from = [data.fingerprint, ctx.state["renderer"].fingerprint, names, config.max_length]
        fingerprint = sha256_of_json(made_from)
        ctx.state["batches"] = ProblemBatches([train, *mixed], plan, fingerprint)
        ctx.state["held_out"] = await self._held_out(ctx, posing, data.test, fingerprint)
        warn(ctx, *shortfalls(plan, "groups_per_batch", "problems"), *unused(data, plan))

    async def _held_out(
        self, ctx: StageContext, posing: Posing, test: ExampleStream | None, fingerprint: str
    ) -> HeldOutProblems:
        if test is None:
            return HeldOutProblems([], fingerprint)
        found = await posing.problems(test, ctx.config.env, at_most=ctx.config.eval_samples)
        return HeldOutProblems([problem.builder for problem in found], fingerprint)


def _check_weights(weights: Mapping[str, float], sets: Sequence[Sequence[Problem]]) -> None:
    """Refuse a weight that would weigh nothing."""
    parts = {name for problems in sets for each in problems for name in each.builder.reward_weights}
    for name in weights:
        if name not in parts:
            raise ConfigError(
                f"reward_weights: given '{name}', expected a part of the reward that the environment "
                f"weighs: {', '.join(sorted(parts))}{nearest(name, parts)}"
            )


class Posing:
    """Makes problems of a run's examples."""

    def __init__(self, ctx: StageContext, grader: Grader) -> None:
        self._ctx = ctx
        self._grader = grader
        self._renderer: Renderer = ctx.state["renderer"]

    async def problems(
        self, examples: ExampleStream, name: str, at_most: int | None = None
    ) -> list[Problem]:
        """The problems of the first examples, or of all. One whose prompt leaves no room for an answer
        is left out, with a warning. Raises RefError where none is left.
        """
        environment = get_environment(name)
        posed: list[Problem] = []
        numbered = islice(examples, at_most)
        watch = Watch(self._ctx, f"reading {examples.name}", examples.split.num_rows)
        count = await drain(
            numbered,
            lambda each: posed.append(pose(each[1], environment, self._grader, self._renderer)),
            watch,
        )
        room = self._ctx.config.max_length
        fitting = [problem for problem in posed if len(problem.prompt) < room]
        if not fitting:
            raise RefError(no_room(examples.name, str(count), room))
        if len(fitting) < count:
            warn(
                self._ctx,
                f"{examples.name}: {count - len(fitting):,} of {count:,} problems have a prompt of "
                f"max_length={room} tokens or more and are left out; raise max_length to ask them",
            )
        return fitting


def pose(example: Example, environment: Environment, grader: Grader, renderer: Renderer) -> Problem:
    """The problem that an example poses. Raises RowError where it poses none."""
    if not isinstance(example, Conversation):
        problem = (
            f"a plain text, expected a question with an answer, as env={environment.name} asks"
        )
        raise RowError(example.where, "", problem)
    builder = environment.group(example, grader)
    (env,) = builder.make(1)
    return Problem(builder, renderer.prompt(env.begin()))


def no_room(name: str, count: str, max_length: int) -> str:
    """Why data can't be asked: so many problems, and no prompt among them that leaves room."""
    return (
        f"{name}: none of {count} problems has a prompt of less than max_length={max_length} tokens; "
        "raise max_length"
    )
