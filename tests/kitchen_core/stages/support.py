"""The stages from a ref to batches, on the in-memory model and a real store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kitchen_core import builtin
from kitchen_core.adapters.local_files import LocalFiles
from kitchen_core.adapters.memory import MemoryBridge, MemoryHub, MemoryTraining
from kitchen_core.resolver import Resolver
from kitchen_core.stages.data import LoadDataset
from kitchen_core.stages.datums import BuildDatums
from kitchen_core.stages.session import InitSession, InitTokenizer
from kitchen_core.store import RunWriter, Store
from kitchen_core.store.lineage import run_node
from kitchen_core.telemetry.schema import Event, EventKind
from kitchen_core.train.types import Datum
from kitchen_core.workflow.context import RunContext
from kitchen_core.workflow.graph import Workflow, stage
from kitchen_core.workflow.runner import Runner
from kitchen_core.workflows import SupervisedConfig, TrainingConfig
from tests.kitchen_core.store.support import start
from tests.kitchen_core.workflow.support import context
from tests.rows import write_jsonl

CONFIG = SupervisedConfig(
    batch_size=4,
    max_length=64,
    test_fraction=0.0,
    eval_every=0,
    device="cpu",
    threads=1,
    lora_rank=0,
)

BODY = (stage(LoadDataset()), stage(InitSession()), stage(InitTokenizer()), stage(BuildDatums()))
WORKFLOW = Workflow("data", "A test's.", SupervisedConfig, BODY)


class Connector:
    """One training client and one bridge, as every run has them."""

    def __init__(self, client: Any = None, bridge: Any = None) -> None:
        self._adapters = {
            "training_client": client or MemoryTraining(),
            "python_bridge": bridge or MemoryBridge(),
        }

    def connect(self, port: str) -> Any:
        return self._adapters[port]


class Prepared:
    """What the stages left behind."""

    def __init__(self, ctx: RunContext, store: Store) -> None:
        self.data = ctx.state["dataset"]
        self.batches = ctx.state["batches"]
        self.held_out = ctx.state["held_out"]
        self.run_id = ctx.run_id
        self.pins = store.get_run(ctx.run_id).pins
        self.events = store.read_events(run_id=ctx.run_id)

    @property
    def loaded(self) -> list[Event]:
        """The `dataset.loaded` events."""
        return [event for event in self.events if event.kind is EventKind.DATASET_LOADED]

    @property
    def warnings(self) -> list[str]:
        return [
            event.metadata["message"]
            for event in self.events
            if event.kind is EventKind.LOG and event.metadata["level"] == "warning"
        ]

    def texts(self, step: int) -> list[str]:
        return [text_of(datum) for datum in self.batches[step].datums]


@asynccontextmanager
async def stages_run(
    store: Store,
    home: Path,
    config: TrainingConfig,
    *,
    workflow: Workflow = WORKFLOW,
    hub: MemoryHub | None = None,
    pins: dict[str, str] | None = None,
    stop_asked: Any = None,
):
    """Run the stages in a home; gives what they left behind."""
    writer = start(store)
    ctx = context(writer, home, config)
    ctx.connector = Connector()
    ctx.resolver = resolver(writer, hub, pins)
    if stop_asked is not None:
        ctx.stop_asked = stop_asked
    await Runner(workflow, ctx).run()
    try:
        yield Prepared(ctx, store)
    finally:
        await ctx.state["session"].close()


def resolver(
    writer: RunWriter, hub: MemoryHub | None = None, pins: dict[str, str] | None = None
) -> Resolver:
    """A run's resolver as the worker wires it, with its lineage in the store."""
    node = run_node(writer.run_id, "first")
    return Resolver(
        builtins=builtin,
        stored=None,  # type: ignore[arg-type]  # no ref of these tests leads to the store
        reader=LocalFiles,
        model_hub=MemoryHub,
        dataset_hub=lambda: hub or MemoryHub(),
        pins=pins or {},
        on_resolved=lambda ref, found, role: writer.add_edge(found, node, role),
        pin=writer.pin,
    )


def with_other_tokens(folder: Path) -> str:
    """The ref of a model like builtin:tiny, of as many tokens, which calls 1 what that calls 2."""
    shutil.copytree(builtin.model_folder("tiny"), folder)
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    vocab = tokenizer["model"]["vocab"]
    vocab["1"], vocab["2"] = vocab["2"], vocab["1"]
    file.write_text(json.dumps(tokenizer), encoding="utf-8")
    return f"file:{folder}"


def file_ref(path: Path, rows: Iterable[Any]) -> str:
    """The ref of a dataset file with these rows."""
    return f"file:{write_jsonl(path, rows)}"


def text_of(datum: Datum) -> str:
    """What a datum of bytes says, control tokens left out."""
    tokens = [int(datum.tokens[0]), *map(int, datum.targets)]
    return bytes(token for token in tokens if token < 256).decode()
