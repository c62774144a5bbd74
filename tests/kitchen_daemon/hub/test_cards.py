"""The card of a model, made of what the store knows; read back as the hub's own library reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from kitchen_core.store import NewRun, RunWriter, Store
from kitchen_core.store.lineage import run_node
from kitchen_core.telemetry.ports import MetricRow, Node
from kitchen_daemon.hub.cards import make_card
from tests.kitchen_core.store.support import fresh_store, next_attempt

COMMIT = "c" * 40
DATA = Node(f"artifact:{'d' * 64}", "dataset", f"org/chat@{'e' * 40}#small", "d" * 64)
OWN = Node(f"artifact:{'1' * 64}", "dataset", "mine.jsonl", "1" * 64)
BASE = Node(f"artifact:{'b' * 64}", "model", f"org/base@{COMMIT}", "b" * 64)
CONFIG = {
    "model": "org/base",
    "dataset": "org/chat#small",
    "test_dataset": "file:/home/somebody/secret place/mine.jsonl",
    "mix": {"/home/somebody/more.jsonl": {"share": 0.5}},
    "learning_rate": 0.001,
    "batch_size": 32,
    "device": "cuda",
    "threads": 16,
}
DEFAULTS = CONFIG | {"model": "builtin:tiny", "learning_rate": 0.01}


@pytest.fixture
def store(tmp_path: Path):
    with fresh_store(tmp_path / "home") as store:
        yield store


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = tmp_path / "final"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    return folder


def submit(store: Store, *, parents: tuple[str, ...] = (), **config: object) -> RunWriter:
    """A run of sl_basic with lineage, values and a checkpoint."""
    run = store.create_run(
        NewRun(
            name="first",
            recipe="sl_basic",
            workflow="supervised",
            seed=7,
            config=CONFIG | config,
            pins={"org/base": f"hf:org/base@{COMMIT}"},
            parents=list(parents),
        )
    )
    writer = RunWriter(store, run.id, next_attempt(store, run.id))
    for node, role in ((BASE, "model"), (DATA, "dataset"), (OWN, "test_dataset")):
        writer.add_edge(node, run_node(run.id, run.name), role)
    values = {"test/nll": 0.25, "train_mean_nll": 1.0, "time/total": 3.0}
    writer.write_metrics([MetricRow(name, 4, value) for name, value in values.items()])
    return writer


def card_of(store: Store, writer: RunWriter, folder: Path) -> str:
    return make_card(store, store.get_run(writer.run_id), folder, "me/mine", DEFAULTS)


def test_the_front_matter_is_what_the_hub_reads(store, adapter):
    data = ModelCard(card_of(store, submit(store), adapter)).data
    assert data.to_dict() == {
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["crucible-kitchen", "sl_basic"],
        "base_model": "org/base",
        "base_model_relation": "adapter",
        "datasets": ["org/chat"],
    }


def test_a_whole_model_is_of_transformers_and_made_from_its_base(store, tmp_path):
    card = card_of(store, submit(store), tmp_path)
    assert ModelCard(card).data.to_dict()["base_model_relation"] == "finetune"
    assert ModelCard(card).data.library_name == "transformers"
    assert 'AutoModelForCausalLM.from_pretrained("me/mine")' in card


def test_it_says_what_was_trained_on_what_and_how_it_came_out(store, adapter):
    lines = card_of(store, submit(store), adapter).splitlines()
    assert f"| dataset | org/chat@{'e' * 40}#small | `{'d' * 64}` |" in lines
    assert f"| test_dataset | mine.jsonl | `{'1' * 64}` |" in lines
    assert f"| model | org/base@{COMMIT} | `{'b' * 64}` |" in lines
    assert "| test/nll | 0.25 |" in lines
    assert 'model = PeftModel.from_pretrained(base, "me/mine")' in lines
    assert 'base = AutoModelForCausalLM.from_pretrained("org/base")' in lines


def test_of_the_settings_those_are_shown_that_the_recipe_has_otherwise(store, adapter):
    card = card_of(store, submit(store), adapter)
    assert "| `learning_rate` | `0.001` |" in card
    assert '| `model` | `"org/base"` |' in card
    for other in ("batch_size", "device", "threads", "time/total"):
        assert other not in card


def test_nothing_of_this_machine_is_in_it(store, adapter, tmp_path):
    run = store.get_run(submit(store).run_id)
    for defaults in (DEFAULTS, {}):
        card = make_card(store, run, adapter, "me/mine", defaults)
        for own in ("somebody", "secret place", "/home", str(tmp_path)):
            assert own not in card
    assert '{"more.jsonl": {"share": 0.5}}' in card


def test_the_base_is_found_through_the_runs_that_came_before(store, adapter):
    first = submit(store)
    parent = f"run:{first.run_id}"
    card = card_of(store, submit(store, model=parent, parents=(first.run_id,)), adapter)
    assert ModelCard(card).data.base_model == "org/base"
    assert f"| first {first.run_id} | sl_basic | 7 |" in card


@pytest.mark.parametrize(
    ("model", "said", "loaded"),
    [
        (
            "builtin:tiny",
            "A LoRA adapter for Crucible Kitchen's embedded model `tiny`,",
            'builtin.model_folder("tiny")',
        ),
        ("file:/home/somebody/base", "not on the hub (base)", '"FOLDER_OF_THE_BASE_MODEL"'),
        ("artifact:" + "0" * 64, "not on the hub (artifact:", '"FOLDER_OF_THE_BASE_MODEL"'),
    ],
)
def test_a_base_that_is_not_on_the_hub_is_not_said_to_be(store, adapter, model, said, loaded):
    card = card_of(store, submit(store, model=model), adapter)
    assert "base_model" not in ModelCard(card).data.to_dict()
    assert said in card
    assert loaded in card


def test_the_versions_are_those_of_the_last_checkpoint(store, adapter, tmp_path):
    writer = submit(store)
    for step, version in ((10, "2.12.0"), (20, "2.13.0")):
        folder = tmp_path / f"{step}"
        folder.mkdir()
        (folder / "state.json").write_text(json.dumps({"software": {"torch": version}}))
        writer.store_tree(folder, f"checkpoints/{step}", step=step)
    card = card_of(store, writer, adapter)
    assert "| torch | 2.13.0 |" in card
    assert "2.12.0" not in card


def test_what_is_not_known_has_no_heading(store, adapter):
    card = card_of(store, submit(store), adapter)
    assert "## Versions" not in card
    assert "## Parents" not in card
