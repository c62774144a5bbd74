"""The embedded base model: its files, its tokenizer and template, and what it can and cannot do."""

import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

import kitchen_core.builtin as builtin
from kitchen_core.builtin import dataset_rows, model_folder, verify_model
from kitchen_core.builtin.problems import sums

FOLDER = model_folder("tiny")
TOKENIZER = AutoTokenizer.from_pretrained(FOLDER)
CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 12 + 7?"},
    {"role": "assistant", "content": "\\boxed{19}"},
    {"role": "user", "content": "Ünd 10 møre? 🍳"},
    {"role": "assistant", "content": "é → 🍰 29"},
]


@pytest.fixture(scope="module")
def model():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield AutoModelForCausalLM.from_pretrained(FOLDER)
    torch.set_num_threads(threads)


def greedy(model, prompts: list[list[int]], new_tokens: int = 8) -> list[str]:
    """The greedy continuations, special tokens and all."""
    longest = max(map(len, prompts))
    pad = TOKENIZER.pad_token_id
    tokens = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts])
    out = model.generate(
        tokens,
        attention_mask=(tokens != pad).long(),
        do_sample=False,
        max_new_tokens=new_tokens,
    )
    return TOKENIZER.batch_decode(out[:, longest:])


@pytest.mark.parametrize("name", builtin.MODELS)
def test_the_files_are_those_that_were_hashed(name):
    verify_model(f"builtin:{name}")


def test_a_changed_missing_or_added_file_is_named(tmp_path, monkeypatch):
    shutil.copytree(FOLDER, tmp_path / "tiny")
    monkeypatch.setattr(builtin, "_MODELS_FOLDER", tmp_path)
    verify_model("tiny")
    (tmp_path / "tiny" / "config.json").write_text("{}")
    (tmp_path / "tiny" / "extra.py").write_text("")
    (tmp_path / "tiny" / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match=r"config\.json, extra\.py, tokenizer\.json missing, ch"):
        verify_model("tiny")


def test_an_unknown_model_is_named_with_the_nearest():
    with pytest.raises(ValueError, match=r"'builtin:tny'.*did you mean builtin:tiny\?"):
        model_folder("builtin:tny")


def test_special_tokens_agree_between_tokenizer_config_and_generation(model):
    ids = (TOKENIZER.bos_token_id, TOKENIZER.eos_token_id, TOKENIZER.pad_token_id)
    assert TOKENIZER.convert_ids_to_tokens(list(ids)) == ["<|begin|>", "<|end|>", "<|pad|>"]
    for settings in (model.config, model.generation_config):
        assert (settings.bos_token_id, settings.eos_token_id, settings.pad_token_id) == ids
    assert model.config.vocab_size == len(TOKENIZER)
    assert 200_000 < model.num_parameters() < 300_000


@given(st.text())
def test_any_text_survives_the_tokenizer(text):
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    assert TOKENIZER.decode(ids) == text


def test_a_problem_is_few_tokens():
    tokens = TOKENIZER.tokenize("What is 12 + 7?\\boxed{19}")
    assert tokens == ["What is ", "1", "2", " + ", "7", "?", "\\boxed{", "1", "9", "}"]


def test_the_mask_covers_what_the_assistant_says_and_its_end_of_turn():
    out = TOKENIZER.apply_chat_template(
        CONVERSATION, return_dict=True, return_assistant_tokens_mask=True
    )
    spans, masked = [], zip(out["input_ids"], out["assistant_masks"], strict=True)
    inside = False
    for token, flag in masked:
        if flag and not inside:
            spans.append([])
        if flag:
            spans[-1].append(token)
        inside = bool(flag)
    assert [TOKENIZER.decode(span) for span in spans] == [
        message["content"] + "<|end|>" for message in CONVERSATION if message["role"] == "assistant"
    ]


@pytest.mark.parametrize("turns", [2, 4])
def test_a_prompt_is_a_token_prefix_of_the_whole(turns):
    prompt = TOKENIZER.apply_chat_template(CONVERSATION[:turns], add_generation_prompt=True)
    whole = TOKENIZER.apply_chat_template(CONVERSATION)
    length = len(prompt["input_ids"])
    assert whole["input_ids"][:length] == prompt["input_ids"]
    assert TOKENIZER.convert_ids_to_tokens(prompt["input_ids"][-1]) == "<|assistant|>"


def test_an_unknown_role_is_refused():
    with pytest.raises(Exception, match="system, user and assistant, not robot"):
        TOKENIZER.apply_chat_template([{"role": "robot", "content": "beep"}])


def test_the_base_knows_held_out_sums_in_raw_form(model):
    problems = sums("test")
    out = greedy(model, [TOKENIZER(f"<|begin|>{p} = ")["input_ids"] for p in problems], 4)
    right = sum(text.split("\n")[0] == str(p.result) for text, p in zip(out, problems, strict=True))
    assert right / len(problems) > 0.9


def test_the_base_does_not_know_the_chat_form(model):
    for name in ("arithmetic", "chat"):
        rows = dataset_rows(name, "test")
        prompts = [
            TOKENIZER.apply_chat_template(row["messages"][:-1], add_generation_prompt=True)
            for row in rows
        ]
        out = greedy(model, [prompt["input_ids"] for prompt in prompts])
        wanted = [row["messages"][-1]["content"] + "<|end|>" for row in rows]
        right = sum(text.startswith(want) for text, want in zip(out, wanted, strict=True))
        assert right / len(rows) < 0.05
