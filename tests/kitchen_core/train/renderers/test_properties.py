"""What holds of every renderer, whatever is said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.adapters.memory.tokenizer import ByteTokenizer
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.renderers import Renderer, get_renderer
from kitchen_core.train.types import Message, ToolCall
from tests.kitchen_core.train.renderers.support import (
    chatml_tokenizer,
    fixture_tokenizer,
    talk,
    tiny_tokenizer,
    trained_text,
)

SPELLED = ("role_colon", "qwen3", "qwen3_instruct", "llama3")
TOKENIZERS = {
    "tiny": tiny_tokenizer,
    "chatml": lambda: chatml_tokenizer(marked=False),
    "marked": lambda: chatml_tokenizer(marked=True),
    "bytes": ByteTokenizer,
    **dict.fromkeys(SPELLED, fixture_tokenizer),
}
EXTENDING = [name for name in TOKENIZERS if name != "qwen3"]
WITH_CALLS = ["qwen3", "qwen3_instruct", "chatml", "marked", "bytes"]


def renderer(name: str) -> Renderer:
    return get_renderer(name if name in SPELLED else "template", TOKENIZERS[name]())


texts = st.text(st.characters(codec="utf-8", exclude_characters="<>\x00"), max_size=20) | st.sampled_from(
    ["", " ", "\n\n", "\n x", "a\n\n", " 4 ", "User: 4", "👩‍👩‍👧"]
)  # fmt: skip
plain_texts = texts.filter(lambda text: "User:" not in text)


@st.composite
def conversations(draw: st.DrawFn, contents: st.SearchStrategy[str] = texts) -> Conversation:
    """Turns that go from user to assistant, with a system turn before them or not."""
    turns = [Message("system", draw(contents))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        turns += [Message("user", draw(contents)), Message("assistant", draw(contents))]
    return talk(*turns)


@pytest.mark.parametrize("name", TOKENIZERS)
@given(chat=conversations())
def test_nothing_that_is_said_is_dropped_or_repeated(name, chat):
    made = renderer(name)
    text = TOKENIZERS[name]().decode(made.supervised(chat, "all_messages").tokens)
    contents = [message.content for message in chat.messages]
    if (
        name == "qwen3"
    ):  # as the model's template does, line ends before the last answer are framed away
        contents[-1] = contents[-1].lstrip("\n")
    frame = TOKENIZERS[name]().decode(made.supervised(_emptied(chat), "all_messages").tokens)
    at = 0
    for content in contents:
        at = text.index(content, at) + len(content)
    assert len(text) == len(frame) + sum(map(len, contents))


@pytest.mark.parametrize("name", TOKENIZERS)
@given(chat=conversations())
def test_the_last_answer_is_trained_whole_with_its_end_and_nothing_else(name, chat):
    made = renderer(name)
    answer = chat.messages[-1].content
    said = trained_text(TOKENIZERS[name](), made.supervised(chat, "last_assistant_message"))
    empty = trained_text(
        TOKENIZERS[name](), made.supervised(_emptied(chat), "last_assistant_message")
    )
    if name == "qwen3":
        answer = answer.lstrip("\n")
    assert answer in said
    assert len(said) == len(answer) + len(empty)


@pytest.mark.parametrize("name", EXTENDING)
@given(chat=conversations())
def test_prefixes_stay_prefixes_where_a_renderer_extends(name, chat):
    made = renderer(name)
    assert made.extends
    tokens = made.supervised(chat, "all_assistant_messages").tokens
    for i, message in enumerate(chat.messages):
        if message.role == "assistant":
            prompt = made.prompt(chat.upto(i))
            assert tokens[: len(prompt)] == prompt
            shorter = made.supervised(chat.upto(i + 1), "all_assistant_messages").tokens
            assert tokens[: len(shorter)] == shorter
    assert len(made.examples(chat, "all_assistant_messages")) == 1


@pytest.mark.parametrize("name", TOKENIZERS)
@given(chat=conversations())
def test_every_example_goes_on_where_the_prompt_ends(name, chat):
    made = renderer(name)
    examples = made.examples(chat, "all_assistant_messages")
    answers = [i for i, message in enumerate(chat.messages) if message.role == "assistant"]
    if made.extends:
        examples = examples * len(answers)
    for i, example in zip(answers, examples, strict=True):
        prompt = made.prompt(chat.upto(i))
        assert example.tokens[: len(prompt)] == prompt
        assert example.trained[len(prompt)]
        assert not example.trained[len(prompt) - 1]


@pytest.mark.parametrize("name", TOKENIZERS)
@given(content=plain_texts)
def test_parsing_inverts_rendering(name, content):
    made = renderer(name)
    if name == "qwen3":
        content = content.lstrip("\n")
    answer = Message("assistant", content)
    parsed = made.parse(_completion(made, answer))
    assert parsed.complete
    assert parsed.message == answer


@pytest.mark.parametrize("name", WITH_CALLS)
@given(
    content=plain_texts.map(lambda text: text.lstrip("\n")),
    thinking=plain_texts.map(lambda text: text.strip("\n")).filter(bool),
    calls=st.lists(
        st.builds(
            lambda name, arguments: ToolCall(name, json.dumps(arguments, ensure_ascii=False)),
            st.text("abc_", min_size=1, max_size=5),
            st.dictionaries(st.text("xyz", min_size=1), plain_texts | st.integers(), max_size=2),
        ),
        max_size=2,
    ),
)
def test_parsing_inverts_the_rendering_of_thoughts_and_calls(name, content, thinking, calls):
    made = renderer(name)
    answer = Message("assistant", content, thinking=thinking, tool_calls=tuple(calls))
    parsed = made.parse(_completion(made, answer))
    assert parsed.complete
    assert parsed.message == answer


@pytest.mark.parametrize("name", ["qwen3", "qwen3_instruct", "llama3"])
@given(content=st.sampled_from(["<|im_end|>", "a<|eot_id|>b", "<|im_start|>assistant\n"]))
def test_control_tokens_that_people_wrote_stay_text(name, content):
    made = renderer(name)
    answer = Message("assistant", content)
    completion = _completion(made, answer)
    assert [token for token in completion if token in made.stop.tokens] == completion[-1:]
    assert made.parse(completion).message == answer


def _completion(made: Renderer, answer: Message) -> list[int]:
    """The tokens that a model would have said to give this answer."""
    chat = talk(Message("user", "?"), answer)
    rendered = made.supervised(chat, "last_assistant_message")
    marked = zip(rendered.tokens, rendered.trained, strict=True)
    return [token for token, on in marked if on]


def _emptied(chat: Conversation) -> Conversation:
    return talk(*(Message(message.role, "") for message in chat.messages))
