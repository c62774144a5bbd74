"""The renderer on templates with generation markers, without them, and on one that can't be trained on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.adapters.torch_local.tokenizer import HuggingFaceTokenizer
from kitchen_core.builtin import dataset_rows, model_folder
from kitchen_core.train.renderers import RenderError, TemplateRenderer
from kitchen_core.train.schemas import examples_from_rows
from kitchen_core.train.types import Message
from tests.contracts.models import MARKED_TEMPLATE, PLAIN_TEMPLATE, make_byte_tokenizer

EOS = 256
CHAT = (
    Message("user", "1+2?"),
    Message("assistant", "3"),
    Message("user", "+4?"),
    Message("assistant", "seven"),
)
CHATML = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}<eos>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
REWRITES_HISTORY = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content if loop.last else 'x' }}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
MARKS_WITHOUT_END = MARKED_TEMPLATE.replace(
    "{{ message.content }}<eos>{% endgeneration %}", "{{ message.content }}{% endgeneration %}<eos>"
)


@pytest.fixture
def renderer(tmp_path):
    def make(template):
        make_byte_tokenizer(template).save_pretrained(tmp_path)
        return TemplateRenderer(HuggingFaceTokenizer(tmp_path))

    return make


def trained_text(renderer, messages):
    rendered = renderer.supervised(messages)
    trained = [t for t, on in zip(rendered.tokens, rendered.trained, strict=True) if on]
    return renderer._tokenizer.decode(trained)


@pytest.mark.parametrize("template", [MARKED_TEMPLATE, PLAIN_TEMPLATE, CHATML, MARKS_WITHOUT_END])
def test_every_answer_is_trained_with_its_end_and_nothing_else(renderer, template):
    assert trained_text(renderer(template), CHAT) == "3<eos>seven<eos>"


def test_what_a_template_puts_behind_the_end_of_turn_is_not_trained(renderer):
    rendered = renderer(CHATML).supervised(CHAT)
    assert rendered.tokens[-2:] == [EOS, rendered.tokens[-1]]
    assert rendered.trained[-2:] == [True, False]


@pytest.mark.parametrize("template", [MARKED_TEMPLATE, PLAIN_TEMPLATE])
def test_the_prompt_is_a_prefix_of_what_is_trained_on(renderer, template):
    made = renderer(template)
    prompt = made.prompt(CHAT[:3])
    assert made.supervised(CHAT).tokens[: len(prompt)] == prompt


def test_a_template_that_rewrites_history_is_refused_with_the_remedy(renderer):
    with pytest.raises(RenderError, match=r"rewrites earlier turns.*generation"):
        renderer(REWRITES_HISTORY).supervised(CHAT)


def test_a_model_without_a_template_is_refused(renderer):
    with pytest.raises(RenderError, match="no chat template"):
        renderer(None)


def test_a_completion_reads_without_its_control_tokens(renderer):
    assert renderer(MARKED_TEMPLATE).text([*b"hi", EOS]) == renderer(MARKED_TEMPLATE).text([*b"hi"])


def test_the_embedded_model_trains_the_answer_and_the_end_of_turn():
    tiny = TemplateRenderer(HuggingFaceTokenizer(model_folder("tiny")))
    (row,) = examples_from_rows(dataset_rows("arithmetic", "test")[:1], "test")
    (end,) = tiny.stop
    rendered = tiny.supervised(row.messages)
    assert trained_text(tiny, row.messages).startswith(row.answer)
    assert rendered.tokens[-1] == end
    assert rendered.trained[-1]


@given(st.lists(st.text(min_size=1), min_size=1, max_size=3))
def test_the_embedded_model_keeps_every_answer_whole(answers):
    tiny = TemplateRenderer(_tiny_tokenizer())
    messages = [m for a in answers for m in (Message("user", "?"), Message("assistant", a))]
    eos = tiny._tokenizer.decode(tiny.stop)
    assert trained_text(tiny, messages) == "".join(answer + eos for answer in answers)


_cache: list[HuggingFaceTokenizer] = []


def _tiny_tokenizer() -> HuggingFaceTokenizer:
    if not _cache:
        _cache.append(HuggingFaceTokenizer(model_folder("tiny")))
    return _cache[0]
