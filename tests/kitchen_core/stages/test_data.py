"""From refs to streams: what is held out, what is recorded of every set, and what is refused."""

import pytest

from kitchen_core.adapters.memory import MemoryHub
from kitchen_core.refs import RefError
from kitchen_core.resolved_data import Split
from kitchen_core.stages.examples import ExampleStream
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.hashing import sha256_of_rows
from kitchen_core.train.schemas import EXAMPLES
from kitchen_core.workflow.runner import StageFailed
from tests.kitchen_core.stages.support import CONFIG, file_ref, stages_run
from tests.kitchen_core.store.support import fresh_store
from tests.rows import chat


@pytest.fixture
def store(tmp_path):
    with fresh_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def load(store, tmp_path):
    """Runs the stages with changes to the config."""

    def run(hub=None, pins=None, **changes):
        return stages_run(store, tmp_path, CONFIG.model_copy(update=changes), hub=hub, pins=pins)

    return run


def stream(rows, **given):
    return ExampleStream("x.jsonl", Split(rows, len(rows), sha256_of_rows(rows)), EXAMPLES, **given)


def test_both_sides_of_a_split_are_all_of_it_each_row_with_its_own_number():
    rows = [chat(str(i)) for i in range(40)]
    train = list(stream(rows, fraction=0.3))
    test = list(stream(rows, fraction=0.3, held_out=True))
    assert test
    assert sorted(number for number, _ in train + test) == list(range(1, 41))
    for number, example in train + test:
        assert isinstance(example, Conversation)
        assert example.where == f"x.jsonl row {number}"
        assert example.messages[0].content == str(number - 1)


def test_a_set_that_changed_after_it_was_resolved_is_noticed():
    rows = [chat("1"), chat("2")]
    changed = ExampleStream("x.jsonl", Split(rows, 2, "0" * 64), EXAMPLES)
    with pytest.raises(RefError, match=r"x\.jsonl changed while it was read"):
        list(changed)


async def test_a_part_is_held_out_and_told(load, tmp_path):
    ref = file_ref(tmp_path / "a.jsonl", [chat(str(i)) for i in range(40)])
    async with load(dataset=ref, test_fraction=0.3, eval_every=1) as made:
        (event,) = made.loaded
        assert event.measurements["rows"] == 40
        held = event.measurements["test_rows"]
        assert event.measurements["train_rows"] == 40 - held
        assert len(made.held_out.prompts) == held > 0
        trained = {text for step in range(len(made.batches)) for text in made.texts(step)}
        assert not trained & {f"{question}!" for question in made.held_out.questions}


async def test_where_nothing_is_measured_all_is_trained_on_and_nothing_else_read(load, tmp_path):
    ref = file_ref(tmp_path / "a.jsonl", [chat(str(i)) for i in range(40)])
    async with load(dataset=ref, test_fraction=0.5, eval_every=0) as made:
        assert sum(len(made.batches[step].datums) for step in range(len(made.batches))) == 40
        assert made.held_out.datums == []
    async with load(dataset=ref, test_dataset="file:/not/there.jsonl", eval_every=0) as made:
        assert [event.metadata["role"] for event in made.loaded] == ["dataset"]
    async with load(dataset="builtin:chat", eval_every=0) as made:
        assert made.held_out.datums == []


async def test_every_set_is_recorded_with_where_it_comes_from_and_how_it_is_read(
    load, store, tmp_path
):
    hub = MemoryHub()
    alpaca = [{"instruction": "a", "output": "b"}, {"instruction": "c", "output": "d"}]
    hub.put_dataset("org/alpaca", {None: {"train": alpaca}}, "c0ffee")
    main = file_ref(tmp_path / "main.jsonl", [{"q": "1 + 1", "a": "2"}] * 8)
    test = file_ref(tmp_path / "test.jsonl", [chat("5", "6")])
    async with load(
        hub,
        dataset=main,
        fields={"question": "q", "answer": "a"},
        mix=CONFIG.model_validate({"mix": {"org/alpaca": 0.5}}).mix,
        test_dataset=test,
        eval_every=1,
    ) as made:
        first, mixed, measured = made.loaded
        assert first.metadata == {
            "role": "dataset",
            "ref": main,
            "name": "main.jsonl",
            "revision": None,
            # for i in 1..8: printf '{"a":"2","q":"1 + 1"}\n'; | sha256sum
            "sha256": MAIN_SHA256,
            "schema": "question_answer",
            "columns": {"question": "q", "answer": "a"},
        }
        assert (mixed.metadata["role"], mixed.metadata["schema"]) == ("mix", "alpaca")
        assert mixed.metadata["revision"] == "c0ffee"
        assert mixed.metadata["name"] == "org/alpaca@c0ffee"
        assert (measured.metadata["role"], measured.metadata["schema"]) == (
            "test_dataset",
            "messages",
        )
        assert [event.measurements["rows"] for event in made.loaded] == [8, 2, 1]
        assert made.pins == {"org/alpaca": "hf:org/alpaca@c0ffee"}
        _, edges = store.graph(f"run:{made.run_id}")
        roles = {edge.role: edge.source for edge in edges}
        for event in made.loaded:
            assert roles[event.metadata["role"]] == f"artifact:{event.metadata['sha256']}"


MAIN_SHA256 = "d42d7b413ae592f45c687307ca5f8c412d19895ead26892fa330dd9d092a0f36"


async def test_a_set_of_another_form_than_the_first_rows_is_refused_before_a_model_is_loaded(
    load, tmp_path
):
    ref = file_ref(tmp_path / "a.jsonl", [chat("1"), {"messages": [{"role": "user"}]}])
    with pytest.raises(StageFailed, match=r"stage LoadDataset: a\.jsonl row 2: field 'messages"):
        async with load(dataset=ref):
            pass


async def test_what_does_not_fit_far_down_is_named_as_well(load, tmp_path, monkeypatch):
    monkeypatch.setattr("kitchen_core.stages.data.CHECKED_AT_ONCE", 1)
    ref = file_ref(tmp_path / "a.jsonl", [chat("1"), chat("2"), {"messages": 3}])
    with pytest.raises(StageFailed, match=r"stage BuildDatums: a\.jsonl row 3: field 'messages'"):
        async with load(dataset=ref):
            pass


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"test_fraction": 0.999999999, "eval_every": 1},
            "leaves none to train on; set test_fraction=0",
        ),
        ({"eval_every": 1}, "nothing of .* is held out to measure on; raise test_fraction"),
    ],
)
async def test_a_split_that_leaves_a_side_empty_is_refused(load, tmp_path, changes, message):
    ref = file_ref(tmp_path / "a.jsonl", [chat(str(i)) for i in range(5)])
    with pytest.raises(StageFailed, match=message):
        async with load(dataset=ref, **changes):
            pass


async def test_a_hub_dataset_without_a_split_to_train_on_can_only_be_measured_on(load, tmp_path):
    hub = MemoryHub()
    hub.put_dataset("org/bench", {None: {"test": [chat("1", "2")]}}, "abc")
    main = file_ref(tmp_path / "a.jsonl", [chat("3", "4")] * 4)
    async with load(hub, dataset=main, test_dataset="org/bench", eval_every=1) as made:
        assert (made.held_out.questions, [each.content for each in made.held_out.answers]) == (
            ["1"],
            ["2"],
        )
    with pytest.raises(StageFailed, match="org/bench has no split to train on"):
        async with load(hub, dataset="org/bench"):
            pass
