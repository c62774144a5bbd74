"""From streams to batches of datums, and to the held-out examples."""

import pytest

from kitchen_core import builtin
from kitchen_core.adapters.memory.tokenizer import EOS, ByteTokenizer
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.stages.datums import shortfalls
from kitchen_core.stages.held_out import held_out
from kitchen_core.train.batches import BatchPlan
from kitchen_core.train.preparing import Preparation
from kitchen_core.train.renderers import TemplateRenderer
from kitchen_core.train.schemas import EXAMPLES, rows_as
from kitchen_core.train.types import Message
from kitchen_core.workflow.runner import StageFailed
from tests.kitchen_core.stages.support import CONFIG, file_ref, stages_run, text_of
from tests.kitchen_core.store.support import fresh_store
from tests.rows import chat


@pytest.fixture
def store(tmp_path):
    with fresh_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def build(store, tmp_path):
    """Runs the stages with changes to the config."""

    def run(**changes):
        config = CONFIG.model_validate(CONFIG.model_dump() | changes)
        return stages_run(store, tmp_path, config)

    return run


def with_bytes(max_length=64, train_on="all_assistant_messages"):
    tokenizer = ByteTokenizer()
    return Preparation(TemplateRenderer(tokenizer), tokenizer, train_on, max_length)


async def test_an_epoch_mixes_all_of_the_dataset_with_a_share_of_the_other(build, tmp_path):
    main = file_ref(tmp_path / "main.jsonl", [chat(f"m{i}") for i in range(8)])
    other = file_ref(tmp_path / "other.jsonl", [chat(f"o{i}") for i in range(6)])
    async with build(dataset=main, mix={other: 0.5}, num_epochs=3) as made:
        assert len(made.batches) == 9
        epochs = [[], [], []]
        for step in range(9):
            epochs[made.batches[step].epoch] += made.texts(step)
        for epoch in epochs:
            assert sorted(text for text in epoch if text[0] == "m") == [f"m{i}!" for i in range(8)]
        others = [[text for text in epoch if text[0] == "o"] for epoch in epochs]
        assert [len(taken) for taken in others] == [4, 4, 4]
        assert set(others[0]) | set(others[1]) == {f"o{i}!" for i in range(6)}


async def test_a_share_of_less_than_an_example_is_told(build, tmp_path):
    main = file_ref(tmp_path / "main.jsonl", [chat(f"m{i}") for i in range(8)])
    other = file_ref(tmp_path / "other.jsonl", [chat("o")])
    async with build(dataset=main, mix={other: 0.01}) as made:
        assert made.warnings == [f"mix: a share of 0.01 of 8 examples is none of {other}; raise it"]


async def test_plain_texts_are_trained_whole_with_the_token_that_ends_them(build, tmp_path):
    ref = file_ref(tmp_path / "a.jsonl", [{"text": "abc"}])
    async with build(dataset=ref) as made:
        (datum,) = made.batches[0].datums
        assert datum.tokens.tolist() == [*b"abc"]
        assert datum.targets.tolist() == [*b"bc", EOS]
        assert datum.weights.tolist() == [1, 1, 1]


async def test_held_out_texts_have_a_loss_and_no_prompt(build, tmp_path):
    main = file_ref(tmp_path / "main.jsonl", [{"text": "abc"}])
    test = file_ref(tmp_path / "test.jsonl", [{"text": "xyz"}])
    async with build(dataset=main, test_dataset=test, eval_every=1) as made:
        assert [text_of(datum) for datum in made.held_out.datums] == ["xyz"]
        assert made.held_out.prompts == []


async def test_rows_with_nothing_to_train_are_left_out_and_told_once(build, tmp_path):
    rows = [chat("1"), chat("2" * 70), chat("3"), chat("4" * 90)]
    ref = file_ref(tmp_path / "a.jsonl", rows)
    for _ in ("made", "found"):
        async with build(dataset=ref) as made:
            assert sorted(made.texts(0)) == ["1!", "3!"]
            assert made.warnings == [
                "a.jsonl: 2 rows have no token to train within max_length=64 and are left out, "
                "row 2 first; raise max_length to train on them",
                "batch_size=4, but there are 2 examples to train on; every step takes all of them",
            ]


async def test_a_set_with_nothing_to_train_is_refused(build, tmp_path):
    ref = file_ref(tmp_path / "a.jsonl", [chat("1" * 80)] * 3)
    message = (
        "stage BuildDatums: a.jsonl: none of 3 rows has a token to train within max_length=64 by "
        "train_on=all_assistant_messages; raise max_length, or choose another train_on"
    )
    with pytest.raises(StageFailed) as refused:
        async with build(dataset=ref):
            pass
    assert str(refused.value) == message


async def test_no_more_than_eval_examples_are_measured(build, tmp_path):
    main = file_ref(tmp_path / "main.jsonl", [chat("1")])
    test = file_ref(tmp_path / "test.jsonl", [chat(str(i)) for i in range(10)])
    async with build(dataset=main, test_dataset=test, eval_every=1, eval_examples=3) as made:
        assert made.held_out.questions == ["0", "1", "2"]


def test_a_question_as_long_as_max_length_is_left_out_and_told():
    tokenizer = HuggingFaceTokenizer(builtin.model_folder("tiny"))
    examples = list(rows_as(EXAMPLES, [chat("1 + 2", "3"), chat("1 + 2" * 50, "3")], "chat.jsonl"))
    preparation = Preparation(TemplateRenderer(tokenizer), tokenizer, "all_assistant_messages", 40)
    measured, said = held_out(examples, preparation)
    assert len(measured.prompts) == len(measured.datums) == 1
    assert said == [
        "1 of 2 held-out rows have a prompt of max_length=40 tokens or more and are not measured"
    ]


def test_a_held_out_prompt_ends_before_the_last_answer():
    turns = [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
    row = {"messages": [{"role": role, "content": content} for role, content in turns]}
    measured, _ = held_out(list(rows_as(EXAMPLES, [row], "x")), with_bytes())
    (prompt,) = measured.prompts
    assert bytes(token for token in prompt if token < 256) == b"abc"
    assert (measured.questions, measured.answers) == (["a … c"], [Message("assistant", "d")])


def test_what_is_measured_tells_itself_apart():
    one, _ = held_out(list(rows_as(EXAMPLES, [chat("1", "2")], "x")), with_bytes())
    same, _ = held_out(list(rows_as(EXAMPLES, [chat("1", "2")], "y")), with_bytes())
    other, _ = held_out(list(rows_as(EXAMPLES, [chat("1", "3")], "x")), with_bytes())
    longer, _ = held_out(list(rows_as(EXAMPLES, [chat("1", "2")] * 2, "x")), with_bytes())
    assert one.fingerprint == same.fingerprint
    assert len({each.fingerprint for each in (one, other, longer)}) == 3


async def test_a_text_longer_than_the_model_can_read_is_refused_before_any_is_rendered(
    build, tmp_path, monkeypatch
):
    monkeypatch.setattr(Preparation, "sequences", None)  # not to be asked
    ref = file_ref(tmp_path / "a.jsonl", [chat("1")])
    with pytest.raises(StageFailed, match=r"max_length=4097, .* reads at most 4096 tokens"):
        async with build(dataset=ref, max_length=4097):
            pass


def test_a_plan_that_gives_less_than_was_asked_for_is_told():
    plan = BatchPlan(num_examples=5, batch_size=1000, num_epochs=2, max_steps=500, seed=0)
    small, short = shortfalls(plan)
    assert small.startswith("batch_size=1000, but there are 5 examples to train on")
    assert short.startswith("max_steps=500, but num_epochs=2 gives 2 steps")
    assert shortfalls(BatchPlan(40, 4, 1, 10, 0)) == []
