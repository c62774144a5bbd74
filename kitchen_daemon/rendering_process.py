"""The process that renders rows: a task comes in, an answer goes out, both as JSON.

python -m kitchen_daemon.rendering_process      (started by the daemon)
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, repeat
from pathlib import Path
from typing import Any

from kitchen_core.adapters.manifest import Manifest
from kitchen_core.adapters.wiring import Wiring
from kitchen_core.home import Home
from kitchen_core.recipe import RecipeError
from kitchen_core.stages.data import CHECKED_AT_ONCE, mixed_stream, training_stream
from kitchen_core.stages.examples import ExampleStream
from kitchen_core.stages.preparing import Preparing
from kitchen_core.store.store import Store
from kitchen_core.train.pairs import PairPreparation
from kitchen_core.train.ports.errors import PortError
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.preparing import Preparation
from kitchen_core.train.renderers import Rendered, Renderer, get_renderer
from kitchen_core.train.schemas import COMPARISONS, EXAMPLES, Reading
from kitchen_core.train.spans import spans
from kitchen_core.workflows import PreferenceConfig, SupervisedConfig
from kitchen_core.workflows.reading import load_for_run
from kitchen_daemon.expected import EXPECTED
from kitchen_daemon.models import Problem, RenderedMix, RenderedSegment, RenderedSequence, Rendering
from kitchen_daemon.rendering import RenderAnswer, RenderTask
from kitchen_daemon.resolving import make_resolver
from kitchen_daemon.secrets import read_secrets

_GRACE_SECONDS = 2  # beyond which a process whose daemon is gone ends itself


def main() -> None:
    """Read the task, write the answer. What libraries print goes to the daemon's log."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        task = RenderTask.model_validate_json(sys.stdin.buffer.read())
        signal.alarm(math.ceil(task.seconds) + _GRACE_SECONDS)
        answers.write(answer(task).model_dump_json().encode())


def answer(task: RenderTask) -> RenderAnswer:
    """The rows, or why they can't be shown, in the words that a run would fail with."""
    try:
        return RenderAnswer(rendering=asyncio.run(render(task)))
    except PortError as error:
        problem = Problem(message=str(error), hint=error.hint)
    except (*EXPECTED, OSError) as error:
        problem = Problem(message=str(error))
    except Exception as error:  # whatever went wrong is told to the user
        traceback.print_exc()
        problem = Problem(message=f"{type(error).__name__}: {error}")
    return RenderAnswer(problem=problem)


async def render(task: RenderTask) -> Rendering:
    """The first rows of the task's dataset and of what is mixed in, by the functions that the stages of a run call."""
    home = Home(Path(task.home))
    workflow, config = load_for_run(Path(task.recipe), task.config)
    if not isinstance(config, SupervisedConfig | PreferenceConfig):
        raise RecipeError(
            f"workflow {workflow.name} renders no dataset; choose another recipe by --recipe"
        )
    way = _Way.of(config)
    wiring = Wiring(Manifest.model_validate(task.wiring), read_secrets(home))
    with Store.open(home.root, migrate=False) as store:
        resolver = make_resolver(store, wiring, task.pins, lambda *_: None, lambda *_: None)
        dataset = await resolver.dataset(config.dataset)
        mixed = [
            (mixed_stream(await resolver.dataset(ref), each.fields, way.reading), each.share)
            for ref, each in config.mix.items()
        ]
        model = await resolver.model(config.model)
        tokenizer = await wiring.connect("training_client").tokenizer(model.source)
    renderer = get_renderer(config.renderer, tokenizer)
    preparation = way.preparation(renderer, tokenizer)
    shown = _shown(training_stream(dataset, config, way.reading), preparation, way.sides, task.rows)
    return Rendering(
        **shown,
        recipe=Path(task.recipe).stem,
        model=config.model,
        renderer=renderer.name,
        train_on=way.train_on,
        max_length=config.max_length,
        mixed=[
            RenderedMix(**_shown(examples, preparation, way.sides, task.rows), share=share)
            for examples, share in mixed
        ],
    )


@dataclass(frozen=True)
class _Way:
    """How a workflow reads rows and prepares what they hold. sides: what a row's sequences are called."""

    reading: Reading[Any]
    preparation: Callable[[Renderer, Tokenizer], Preparing[Any]]
    train_on: str
    sides: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: SupervisedConfig | PreferenceConfig) -> _Way:
        length = config.max_length
        if isinstance(config, PreferenceConfig):
            pairs = partial(PairPreparation, max_length=length)
            return cls(COMPARISONS, pairs, "both answers", ("chosen", "rejected"))
        examples = partial(Preparation, train_on=config.train_on, max_length=length)
        return cls(EXAMPLES, examples, config.train_on)


def _shown(
    examples: ExampleStream[Any], preparation: Preparing[Any], sides: Sequence[str], rows: int
) -> dict[str, Any]:
    """The fields of RenderedRows. Raises RowError where a row that a run checks at once does not
    fit.
    """
    schema = examples.check(CHECKED_AT_ONCE)
    sequences: list[RenderedSequence] = []
    num_rows = num_kept = 0
    for _, example in islice(examples, rows):
        whole = preparation.rendered(example)
        cut = [preparation.cut(each) for each in whole]
        num_rows += 1
        num_kept += bool(preparation.kept(cut))
        for each, kept, side in zip(whole, cut, sides or repeat(""), strict=False):
            sequences.append(_sequence(example.where, each, kept, side, preparation))
    return {
        "dataset": examples.name,
        "schema_name": schema.name,
        "num_rows": num_rows,
        "total_rows": examples.split.num_rows,
        "sequences": sequences,
        "refusal": ""
        if num_kept or not num_rows
        else preparation.untrained(examples.name, f"these {num_rows}"),
    }


def _sequence(
    where: str, whole: Rendered, kept: Rendered, side: str, preparation: Preparing[Any]
) -> RenderedSequence:
    """A sequence as it is read. Its first token is predicted by nothing, so it is never trained."""
    trained = [False, *kept.trained[1:]]
    return RenderedSequence(
        where=where,
        side=side,
        segments=[
            RenderedSegment(text=span.text, trained=span.trained, tokens=span.tokens)
            for span in spans(kept.tokens, trained, preparation.tokenizer.decode)
        ],
        num_tokens=len(kept.tokens),
        num_loss_tokens=sum(trained),
        num_cut=len(whole.tokens) - len(kept.tokens),
    )


if __name__ == "__main__":
    main()
