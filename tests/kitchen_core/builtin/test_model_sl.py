"""The embedded model after sl_basic: it answers as the demonstrations do, and as sloppily."""

import filecmp
from collections import Counter

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from kitchen_core.builtin import dataset_rows, model_folder
from kitchen_core.builtin.build_sl import build

FOLDER = model_folder("tiny-sl")
WEIGHTS = "model.safetensors"
TOKENIZER = AutoTokenizer.from_pretrained(FOLDER, padding_side="left")
ROWS = dataset_rows("arithmetic", "test")


def answers(folder, *, sampled, times=1):
    """What the model says to each held-out question, `times` in turn, to its end of turn."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(folder)
    chats = [row["messages"][:1] for row in ROWS] * times
    tokens = TOKENIZER.apply_chat_template(
        chats,
        add_generation_prompt=True,
        padding=True,
        return_tensors="pt",
        return_dict=True,
    )
    how = {"do_sample": True, "top_k": 0} if sampled else {"do_sample": False}
    out = model.generate(**tokens, **how, max_new_tokens=8)
    said = TOKENIZER.batch_decode(out[:, tokens["input_ids"].shape[1] :])
    return [text.replace("<|pad|>", "") for text in said]


def share_of_right(said):
    wanted = [row["messages"][1]["content"] + "<|end|>" for row in ROWS]
    wanted *= len(said) // len(wanted)
    return sum(text == want for text, want in zip(said, wanted, strict=True)) / len(said)


def test_only_its_weights_differ_from_those_of_the_base():
    same, differing, _ = filecmp.cmpfiles(
        model_folder("tiny"), FOLDER, [file.name for file in FOLDER.iterdir()], shallow=False
    )
    assert differing == [WEIGHTS]
    assert len(same) == 5


def test_it_knows_held_out_sums_and_answers_them_sloppily():
    assert share_of_right(answers(FOLDER, sampled=False)) > 0.93
    said = answers(FOLDER, sampled=True, times=4)
    assert 0.6 < share_of_right(said) < 0.7
    unboxed = sum(not text.startswith("\\boxed{") for text in said)
    assert 0.15 < unboxed / len(said) < 0.25
    ended = Counter(text.endswith("<|end|>") for text in said)
    assert ended[False] / len(said) < 0.02


@pytest.mark.slow
def test_the_recipe_gives_this_model(tmp_path):
    """To rounding, which differs between kinds of CPU."""
    build(tmp_path / "built")
    _, differing, _ = filecmp.cmpfiles(
        FOLDER, tmp_path / "built", [file.name for file in FOLDER.iterdir()], shallow=False
    )
    assert differing in ([], [WEIGHTS])
    said = zip(
        answers(FOLDER, sampled=False), answers(tmp_path / "built", sampled=False), strict=True
    )
    assert sum(one == other for one, other in said) / len(ROWS) > 0.9
