"""From streams of comparisons to batches of pairs, and to the held-out pairs."""

import pytest

from kitchen_core.adapters.memory.tokenizer import EOS
from kitchen_core.stages.comparisons import BuildComparisons
from kitchen_core.stages.data import LoadDataset
from kitchen_core.stages.session import InitSession, InitTokenizer
from kitchen_core.train.batches import BatchPlan
from kitchen_core.workflow.graph import Workflow, stage
from kitchen_core.workflow.runner import StageFailed
from kitchen_core.workflows import PreferenceConfig
from tests.kitchen_core.stages.support import CONFIG, Prepared, file_ref, stages_run
from tests.kitchen_core.store.support import fresh_store

PAIRS = PreferenceConfig.model_validate(
    {name: value for name, value in CONFIG if name in PreferenceConfig.model_fields}
    | {"best_metric": "test/accuracy"}
)
BODY = (
    stage(LoadDataset(rows="comparisons")),
    stage(InitSession()),
    stage(InitTokenizer()),
    stage(BuildComparisons()),
)
WORKFLOW = Workflow("data", "A test's.", PreferenceConfig, BODY)


@pytest.fixture
def build(tmp_path):
    """Runs the stages with changes to the config."""
    with fresh_store(tmp_path) as store:

        def run(**changes):
            config = PreferenceConfig.model_validate(PAIRS.model_dump() | changes)
            return stages_run(store, tmp_path, config, workflow=WORKFLOW)

        yield run


def pair(name, chosen=None, rejected=None):
    return {"prompt": name, "chosen": chosen or f"{name}+", "rejected": rejected or f"{name}-"}


def pairs(name, count):
    return [pair(f"{name}{i}") for i in range(count)]


def said(made: Prepared, step: int) -> list[str]:
    """The trained texts of a batch."""
    return [
        bytes(int(t) for t, w in zip(d.targets, d.weights, strict=True) if w and t != EOS).decode()
        for d in made.batches[step].datums
    ]


async def test_a_batch_has_its_pairs_interleaved_and_unweighted(build, tmp_path):
    data = file_ref(tmp_path / "pairs.jsonl", pairs("p", 8))
    async with build(dataset=data, batch_size=4) as made:
        assert len(made.batches) == 2
        plan = BatchPlan(8, 4, 1, None, seed=0)
        for step in range(2):
            batch = made.batches[step]
            assert batch.numbers == plan[step]
            assert said(made, step) == [f"p{i}{sign}" for i in plan[step] for sign in "+-"]
            assert batch.where == [f"pairs.jsonl row {i + 1}" for i in plan[step] for _ in "+-"]
            assert {weight for d in batch.datums for weight in d.weights.tolist()} == {0.0, 1.0}


async def test_other_pairs_are_mixed_in(build, tmp_path):
    main = file_ref(tmp_path / "main.jsonl", pairs("m", 4))
    other = file_ref(tmp_path / "other.jsonl", pairs("o", 6))
    async with build(dataset=main, mix={other: 0.5}, batch_size=6) as made:
        texts = said(made, 0)
        assert sum(text[0] == "o" for text in texts) == 4
        assert [text[:-1] for text in texts[::2]] == [text[:-1] for text in texts[1::2]]
        assert made.batches.used() == sorted(made.batches[0].numbers)
        for number in made.batches.used():
            chosen, rejected = made.batches.example(number)
            assert len(chosen) == len(rejected)


async def test_held_out_pairs_are_in_no_batch(build, tmp_path):
    data = file_ref(tmp_path / "pairs.jsonl", pairs("p", 40))
    async with build(dataset=data, test_fraction=0.25, eval_every=1, batch_size=64) as made:
        trained = set(said(made, 0)[::2])
        asked = set(made.held_out.questions)
        assert asked
        assert len(trained) + len(asked) == 40
        assert not trained & {f"{each}+" for each in asked}
        assert [answer.content for answer in made.held_out.answers] == [
            f"{each}+" for each in made.held_out.questions
        ]


async def test_a_pair_that_does_not_fit_is_left_out_with_a_warning(build, tmp_path):
    rows = [pair("a"), pair("b" * 70), pair("c"), pair("d" * 80)]
    data = file_ref(tmp_path / "pairs.jsonl", rows)
    async with build(dataset=data, batch_size=2) as made:
        assert sorted(said(made, 0)) == ["a+", "a-", "c+", "c-"]
        assert made.warnings == [
            "pairs.jsonl: 2 rows have an answer without a token to train within max_length=64 and are "
            "left out, row 2 first; raise max_length to train on them"
        ]


async def test_data_without_a_pair_that_fits_is_refused(build, tmp_path):
    data = file_ref(tmp_path / "pairs.jsonl", [pair("a" * 70)])
    with pytest.raises(StageFailed, match="none of 1 rows has two answers with a token to train"):
        async with build(dataset=data):
            pass


async def test_chats_are_refused_before_a_model_is_loaded(build, tmp_path):
    rows = [{"messages": [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}]}]
    data = file_ref(tmp_path / "chat.jsonl", rows)
    with pytest.raises(
        StageFailed, match=r"stage LoadDataset: chat\.jsonl row 1: field 'rejected'"
    ):
        async with build(dataset=data):
            pass


async def test_the_same_rows_are_prepared_apart_as_pairs_and_as_examples(build, tmp_path):
    from kitchen_core.prepared import PreparedStore

    data = file_ref(tmp_path / "pairs.jsonl", pairs("p", 4))
    async with build(dataset=data) as made:
        first = made.batches.fingerprint
    async with build(dataset=data) as made:
        assert made.batches.fingerprint == first
    kept = list((tmp_path / "cache" / "prepared").glob("[!.]*"))
    assert len(kept) == 1
    found = PreparedStore(tmp_path / "cache" / "prepared").find(kept[0].name)
    assert found is not None
    assert [found.row(i) for i in range(len(found))] == [1, 1, 2, 2, 3, 3, 4, 4]
