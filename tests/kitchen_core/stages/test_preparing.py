"""The cache of prepared sets, through the stages: when it is used, and when it can't be."""

import os
import shutil
import threading
from abc import ABC

import numpy as np
import pytest

from kitchen_core.adapters.memory import MemoryHub
from kitchen_core.adapters.memory.tokenizer import ByteTokenizer
from kitchen_core.resolved_data import Split
from kitchen_core.stages import preparing
from kitchen_core.stages.data import CHECKED_AT_ONCE
from kitchen_core.stages.examples import ExampleStream
from kitchen_core.stages.preparing import cache_key
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.hashing import sha256_of_rows
from kitchen_core.train.preparing import Preparation
from kitchen_core.train.renderers import TemplateRenderer
from kitchen_core.train.schemas import EXAMPLES
from kitchen_core.workflow.context import Interrupted
from tests.kitchen_core.stages.support import CONFIG, file_ref, stages_run
from tests.kitchen_core.store.support import fresh_store
from tests.rows import chat

ROWS = [chat(f"{i} + {i}", str(2 * i)) for i in range(12)]


@pytest.fixture
def store(tmp_path):
    with fresh_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def build(store, tmp_path):
    """Runs the stages on a file of ROWS, with changes to the config."""
    ref = file_ref(tmp_path / "a.jsonl", ROWS)

    def run(stop_asked=None, **changes):
        config = CONFIG.model_copy(update={"dataset": ref} | changes)
        return stages_run(store, tmp_path, config, stop_asked=stop_asked)

    return run


@pytest.fixture
def prepared_folders(tmp_path):
    return lambda: sorted((tmp_path / "cache" / "prepared").iterdir())


def content(batches):
    """Every batch as bytes."""
    return [
        (datum.tokens.tobytes(), datum.targets.tobytes(), datum.weights.tobytes())
        for step in range(len(batches))
        for datum in batches[step].datums
    ]


async def test_the_second_run_renders_nothing_and_has_the_same_batches(
    build, prepared_folders, monkeypatch
):
    async with build() as made:
        first, fingerprint = content(made.batches), made.batches.fingerprint
    monkeypatch.setattr(Preparation, "sequences", None)  # not to be asked
    async with build() as found:
        assert content(found.batches) == first
        assert found.batches.fingerprint == fingerprint
    assert len(prepared_folders()) == 1


async def test_a_resume_that_finds_the_cache_gone_has_the_same_batches(build, tmp_path):
    async with build() as made:
        first, fingerprint = content(made.batches), made.batches.fingerprint
    shutil.rmtree(tmp_path / "cache")
    async with build() as again:
        assert content(again.batches) == first
        assert again.batches.fingerprint == fingerprint


async def test_a_cut_file_is_made_again(build, prepared_folders):
    async with build() as made:
        first = content(made.batches)
    (folder,) = prepared_folders()
    os.truncate(folder / "tokens.i32", 8)
    async with build() as again:
        assert content(again.batches) == first
    assert (folder / "tokens.i32").stat().st_size > 8


async def test_the_same_content_under_another_name_is_found(build, prepared_folders, tmp_path):
    async with build():
        pass
    other = file_ref(tmp_path / "b.jsonl", ROWS)
    async with build(dataset=other):
        assert len(prepared_folders()) == 1


def keyed(rows=ROWS, renderer=None, tokenizer=None, stream=None, train_on=None, max_length=64):
    tokenizer = tokenizer or ByteTokenizer()
    examples = ExampleStream(
        "a", Split(rows, len(rows), sha256_of_rows(rows)), EXAMPLES, **stream or {}
    )
    how = Preparation(
        renderer or TemplateRenderer(ByteTokenizer()),
        tokenizer,
        train_on or "all_assistant_messages",
        max_length,
    )
    return cache_key(examples, how)


class OtherTemplate(TemplateRenderer):
    fingerprint = "template:other"  # type: ignore[assignment]


class OtherTokenizer(ByteTokenizer):
    fingerprint = "f" * 64


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": [*ROWS[:-1], chat("11 + 11", "23")]},
        {"rows": ROWS[::-1]},
        {"renderer": OtherTemplate(ByteTokenizer())},
        {"tokenizer": OtherTokenizer()},
        {"train_on": "last_assistant_message"},
        {"max_length": 63},
        {"stream": {"fields": {"messages": "messages"}}},
        {"stream": {"fraction": 0.1}},
        {"stream": {"fraction": 0.1, "held_out": True}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_a_set_depends_on_is_in_its_key(changes):
    assert keyed() == keyed()
    assert keyed(**changes) != keyed()


@pytest.fixture
def own_code(tmp_path, monkeypatch):
    """A module that prepares, as a recipe may bring it."""
    (tmp_path / "my_renderer.py").write_text(
        "from kitchen_core.train.renderers import TemplateRenderer\n"
        "class Mine(TemplateRenderer):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    preparing.sha256_of_code.cache_clear()
    yield tmp_path / "my_renderer.py"
    preparing.sha256_of_code.cache_clear()


def test_the_code_that_prepares_is_in_the_key_a_recipes_own_too(own_code):
    from my_renderer import Mine  # type: ignore[import-not-found]

    before = keyed(renderer=Mine(ByteTokenizer()))
    own_code.write_text(own_code.read_text() + "# another line\n")
    preparing.sha256_of_code.cache_clear()
    assert keyed(renderer=Mine(ByteTokenizer())) != before


def test_pythons_own_code_is_not_gone_through():
    class Abstract(TemplateRenderer, ABC):
        pass

    assert not any(name in ("abc", "builtins") for name in preparing._modules_of(Abstract))


@pytest.mark.parametrize("library", ["jinja2", "numpy", "tokenizers", "transformers"])
def test_the_libraries_versions_are_in_the_key(library, monkeypatch):
    before = keyed()
    real = preparing.version
    monkeypatch.setattr(preparing, "version", lambda name: "0" if name == library else real(name))
    preparing.sha256_of_code.cache_clear()
    try:
        assert keyed() != before
    finally:
        preparing.sha256_of_code.cache_clear()


async def test_preparing_stops_when_it_is_asked_to_and_leaves_nothing(
    build, prepared_folders, monkeypatch
):
    monkeypatch.setattr("kitchen_core.slices.SLICE_S", 0.0)  # a row a slice
    rendered = []
    real = Preparation.sequences
    monkeypatch.setattr(
        Preparation, "sequences", lambda self, row: (rendered.append(row), real(self, row))[1]
    )
    with pytest.raises(Interrupted):
        async with build(stop_asked=lambda: len(rendered) == 5):
            pass
    assert len(rendered) == 5
    assert prepared_folders() == []


async def test_the_event_loop_does_not_wait_for_the_disk(build, monkeypatch):
    where = []
    for name in ("fsync", "rename"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, real=real: (where.append(threading.current_thread()), real(*a))[1]
        )
    async with build():
        assert where
        assert threading.main_thread() not in where


async def test_a_long_preparation_says_how_far_it_is(build, monkeypatch):
    monkeypatch.setattr("kitchen_core.slices.SLICE_S", 0.0)
    monkeypatch.setattr("kitchen_core.stages.watching.SAY_EVERY_S", 0.0)
    async with build() as made:
        said = [event.metadata["message"] for event in made.events if event.kind is EventKind.LOG]
    assert "preparing a.jsonl: 7 of 12 rows" in said


class _Row(dict):
    """A row that is counted while it lives."""

    alive = most = 0

    def __init__(self, *content):
        super().__init__(*content)
        _Row.alive += 1
        _Row.most = max(_Row.most, _Row.alive)

    def __del__(self):
        _Row.alive -= 1


class _ManyRows:
    """More rows than are ever there together."""

    def __iter__(self):
        return (_Row(chat(f"{i}")) for i in range(2000))


async def test_rows_go_by_one_at_a_time(store, tmp_path):
    hub = MemoryHub()
    hub.put_dataset("org/many", {None: {"train": _ManyRows()}}, "abc")
    changes = {"dataset": "org/many", "test_fraction": 0.1, "eval_every": 1, "batch_size": 1}
    config = CONFIG.model_copy(update=changes)
    async with stages_run(store, tmp_path, config, hub=hub) as made:
        assert made.loaded[0].measurements["rows"] == 2000
        assert len(made.batches) == made.loaded[0].measurements["train_rows"]
    assert 0 < _Row.most < 10


class _CountedRows:
    """Rows that count how often one is read."""

    read = 0

    def __iter__(self):
        for i in range(2000):
            self.read += 1
            yield chat(f"{i}")


async def test_data_is_gone_through_once_and_once_more_where_it_must_be_prepared(store, tmp_path):
    rows, hub = _CountedRows(), MemoryHub()
    hub.put_dataset("org/many", {None: {"train": rows}}, "abc")
    changes = {"dataset": "org/many", "test_fraction": 0.5, "eval_every": 1, "eval_examples": 10}
    config = CONFIG.model_copy(update=changes)
    beginnings = CHECKED_AT_ONCE + 100  # the first rows for their form, and those to measure on
    for passes in (2, 1):
        rows.read = 0
        async with stages_run(store, tmp_path, config, hub=hub):
            assert passes * 2000 < rows.read < passes * 2000 + beginnings


async def test_the_datums_are_those_of_the_renderer(build):
    async with build() as made:
        tokenizer = ByteTokenizer()
        renderer = TemplateRenderer(tokenizer)
        expected = set()
        for _, example in made.data.train:
            (rendered,) = renderer.examples(example, "all_assistant_messages")
            expected.add((tuple(rendered.tokens), tuple(rendered.trained[1:])))
        found = {
            ((int(datum.tokens[0]), *datum.targets.tolist()), tuple(datum.weights.astype(bool)))
            for step in range(len(made.batches))
            for datum in made.batches[step].datums
        }
    assert found == expected
    assert all(np.isin(datum.weights, (0, 1)).all() for datum in made.batches[0].datums)
