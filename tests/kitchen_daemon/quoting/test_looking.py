import json

import pytest
from transformers import AutoTokenizer

from kitchen_core import builtin
from kitchen_daemon.quoting.looking import NOTHING, lengths_of, look

TINY = builtin.model_folder("tiny")


@pytest.mark.parametrize("name", ["arithmetic", "chat"])
def test_embedded_conversations_are_as_long_as_the_template_makes_them(name):
    rows = builtin.dataset_rows(name, "train")
    tokenizer = AutoTokenizer.from_pretrained(str(TINY))
    texts = [tokenizer.apply_chat_template(row["messages"], tokenize=False) for row in rows[:64]]
    real = sum(len(tokenizer(text)["input_ids"]) for text in texts) / 64
    seen = look(f"builtin:{name}", "", "examples", {})
    found = lengths_of(seen, TINY, 512)
    assert seen.rows == len(rows)
    assert found.prompt + found.learnt == pytest.approx(
        real, rel=0.6
    )  # a turn's tokens are a guess


def test_rows_of_a_file_are_counted_by_its_size(tmp_path):
    path = tmp_path / "chat.jsonl"
    row = json.dumps({"prompt": "x" * 90, "completion": "y" * 100})
    path.write_text(f"{row}\n" * 20_000)
    seen = look(f"file:{path}", "pin", "examples", {})
    assert seen.rows == 20_000
    assert len(seen.texts) == 64


def test_both_answers_of_a_pair_are_seen():
    seen = look("builtin:preferences", "", "comparisons", {})
    assert all(text.prompt and text.learnt.count("\n") for text in seen.texts)


def test_data_that_is_not_here_is_not_looked_at():
    assert look("hf:ORG/NAME", "", "examples", {}) == NOTHING
    assert lengths_of(NOTHING, TINY, 512) is None


def test_rows_that_do_not_fit_stop_nothing(tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_text('{"strange": 1}\n')
    assert look(f"file:{path}", "pin", "examples", {}).texts == ()
