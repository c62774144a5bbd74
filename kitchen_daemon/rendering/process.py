"""The process that renders rows.

python -m kitchen_daemon.rendering.process      (started by the daemon)
"""

from __future__ import annotations

import asyncio
import traceback
from itertools import islice
from pathlib import Path
from typing import Any

from kitchen_core.adapters.manifest import Manifest
from kitchen_core.adapters.wiring import Wiring
from kitchen_core.home import Home
from kitchen_core.recipe import RecipeError
from kitchen_core.stages.data import CHECKED_AT_ONCE, mixed_stream, training_stream
from kitchen_core.stages.examples import ExampleStream
from kitchen_core.store.store import Store
from kitchen_core.train.ports.errors import PortError
from kitchen_core.train.renderers import get_renderer
from kitchen_core.workflows import TrainingConfig
from kitchen_core.workflows.reading import load_for_run
from kitchen_daemon.apart import take_task
from kitchen_daemon.expected import EXPECTED
from kitchen_daemon.models import Problem, RenderedMix, Rendering
from kitchen_daemon.rendering.renderings import RenderAnswer, RenderTask
from kitchen_daemon.rendering.showing import Showing, showing
from kitchen_daemon.running.resolving import make_resolver
from kitchen_daemon.secrets import read_secrets


def main() -> None:
    """Take the task, say the rows."""
    task, say = take_task(RenderTask)
    say(answer(task))


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
    _, config = load_for_run(Path(task.recipe), task.config)
    if not isinstance(config, TrainingConfig):
        raise RecipeError("the recipe's workflow trains on no rows; choose another by --recipe")
    wiring = Wiring(Manifest.model_validate(task.wiring), read_secrets(home))
    with Store.open(home.root, migrate=False) as store:
        resolver = make_resolver(store, wiring, task.pins, lambda *_: None, lambda *_: None)
        dataset = await resolver.dataset(config.dataset)
        mixed = [(each, await resolver.dataset(ref)) for ref, each in config.mix.items()]
        model = await resolver.model(config.model, weights=False)  # a tokenizer is enough
        tokenizer = await wiring.connect("training_client").tokenizer(model.source)
    renderer = get_renderer(config.renderer, tokenizer)
    show = showing(config, renderer, tokenizer)
    return Rendering(
        **_shown(training_stream(dataset, config, show.reading), show, task.rows),
        recipe=Path(task.recipe).stem,
        model=config.model,
        renderer=renderer.name,
        train_on=show.train_on,
        max_length=config.max_length,
        mixed=[
            RenderedMix(
                **_shown(
                    mixed_stream(found, each.fields, show.reading),
                    showing(config, renderer, tokenizer, each),
                    task.rows,
                ),
                share=each.share,
            )
            for each, found in mixed
        ],
    )


def _shown(examples: ExampleStream[Any], show: Showing, rows: int) -> dict[str, Any]:
    """The fields of RenderedRows. Raises RowError where a row that a run checks at once does not
    fit.
    """
    schema = examples.check(CHECKED_AT_ONCE)
    found = [show.of(example) for _, example in islice(examples, rows)]
    useful = any(is_useful for _, is_useful in found)
    return {
        "dataset": examples.name,
        "schema_name": schema.name,
        "num_rows": len(found),
        "total_rows": examples.split.num_rows,
        "sequences": [sequence for sequences, _ in found for sequence in sequences],
        "refusal": "" if useful or not found else show.refusal(examples.name, len(found)),
    }


if __name__ == "__main__":
    main()
