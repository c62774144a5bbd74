"""The renderer on templates with generation markers, without them, and on those that rewrite history,
leave things out or have no place for tools.
"""

from __future__ import annotations

from typing import get_args

import pytest
from transformers import AutoTokenizer

from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.builtin import dataset_rows
from kitchen_core.train.renderers import RenderError, TemplateRenderer, TrainOnWhat
from kitchen_core.train.schemas import EXAMPLES, rows_as
from kitchen_core.train.types import Message, ToolCall
from tests.contracts.models import MARKED_TEMPLATE, PLAIN_TEMPLATE, make_byte_tokenizer
from tests.kitchen_core.train.renderers.support import (
    assistant,
    talk,
    tiny_tokenizer,
    trained_text,
    user,
)

EOS = 256
CHAT = talk(user("1+2?"), assistant("3"), user("+4?"), assistant("seven"))
LINES = (
    "{% for m in messages %}<{{ m.role }}>\n{{ m.content }}<eos>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>\n{% endif %}"
)
THINKS = (
    "{% for m in messages %}<{{ m.role }}>"
    "{% if m.role == 'assistant' and loop.last %}({{ m.reasoning_content }}){% endif %}"
    "{{ m.content }}<eos>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
"""Like Qwen3's: a thought, empty if there is none, before the last answer alone."""
REWRITES_ALL = (
    "<{{ messages | length }}>{% for m in messages %}<{{ m.role }}>{{ m.content }}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
MARKS_WITHOUT_END = MARKED_TEMPLATE.replace(
    "{{ message.content }}<eos>{% endgeneration %}", "{{ message.content }}{% endgeneration %}<eos>"
)
KNOWS_TOOLS = (
    "{% if tools %}<system>{{ tools | tojson }}<eos>{% endif %}"
    "{% for m in messages %}<{{ m.role }}>{{ m.reasoning_content }}|{{ m.content }}"
    "{% for c in m.tool_calls %}[{{ c.function.name }}{{ c.function.arguments | tojson }}]"
    "{% endfor %}<eos>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
WEATHER = {"name": "weather", "parameters": {"type": "object"}}
CALLS = talk(
    user("Rome?"),
    assistant("", thinking="ask", tool_calls=(ToolCall("weather", '{"city": "Rome"}'),)),
    user("so?"),
    assistant("sunny"),
    tools=(WEATHER,),
)


@pytest.fixture
def renderer(tmp_path):
    def make(template):
        make_byte_tokenizer(template).save_pretrained(tmp_path)
        return TemplateRenderer(HuggingFaceTokenizer(tmp_path))

    return make


def trained(renderer, conversation, train_on="all_assistant_messages"):
    return trained_text(renderer._tokenizer, renderer.supervised(conversation, train_on))


@pytest.mark.parametrize("template", [MARKED_TEMPLATE, PLAIN_TEMPLATE, LINES, MARKS_WITHOUT_END])
def test_every_answer_is_trained_with_its_end_and_nothing_else(renderer, template):
    assert trained(renderer(template), CHAT) == "3<eos>seven<eos>"


def test_what_a_template_puts_behind_the_end_of_turn_is_not_trained(renderer):
    rendered = renderer(LINES).supervised(CHAT, "all_assistant_messages")
    assert rendered.tokens[-2:] == [EOS, rendered.tokens[-1]]
    assert rendered.trained[-2:] == [True, False]


@pytest.mark.parametrize("template", [MARKED_TEMPLATE, PLAIN_TEMPLATE, LINES, MARKS_WITHOUT_END])
@pytest.mark.parametrize(
    ("train_on", "said"),
    [
        ("last_assistant_message", "ok<eos>"),
        ("last_assistant_turn", "seven<eos>ok<eos>"),
        ("all_assistant_messages", "3<eos>seven<eos>ok<eos>"),
        ("all_messages", "be brief<eos>1+2?<eos>3<eos>+4?<eos>seven<eos>ok<eos>"),
        ("all_user_and_system_messages", "be brief<eos>1+2?<eos>+4?<eos>"),
    ],
)
def test_each_choice_trains_its_turns_and_their_ends(renderer, template, train_on, said):
    chat = talk(Message("system", "be brief"), *CHAT.messages, assistant("ok"))
    assert trained(renderer(template), chat, train_on) == said


@pytest.mark.parametrize("template", [MARKED_TEMPLATE, PLAIN_TEMPLATE])
def test_all_tokens_trains_the_roles_too(renderer, template):
    assert all(renderer(template).supervised(CHAT, "all_tokens").trained)


def test_customized_trains_the_turns_that_are_marked(renderer):
    chat = talk(
        Message("user", "a", trainable=True),
        assistant("b", trainable=False),
        user("c"),
        assistant("d", trainable=True),
    )
    assert trained(renderer(PLAIN_TEMPLATE), chat, "customized") == "a<eos>d<eos>"


@pytest.mark.parametrize("content", ["user", "<eos>", "eos>", "", " a ", "XYZ", "X", "\n\n"])
def test_a_turn_is_told_from_its_role_whatever_it_says(renderer, content):
    chat = talk(user(content), assistant(content))
    expected = f"{content}<eos>{content}<eos>"
    assert trained(renderer(LINES), chat, "all_messages") == expected


def test_the_masks_are_those_of_transformers(tmp_path):
    make_byte_tokenizer(MARKED_TEMPLATE).save_pretrained(tmp_path)
    renderer = TemplateRenderer(HuggingFaceTokenizer(tmp_path))
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for answer in ("3", "", " spaces ", "line\n\nends\n", "Zażółć 👩‍👧"):
        chat = talk(user("1+2?"), assistant(answer), user(answer), assistant("ok"))
        expected = theirs.apply_chat_template(
            [message.to_json() for message in chat.messages],
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
        ours = renderer.supervised(chat, "all_assistant_messages")
        assert ours.tokens == expected["input_ids"]
        assert [int(on) for on in ours.trained] == expected["assistant_masks"]


def test_marks_that_are_not_one_for_each_answer_are_taken_where_all_answers_are_trained(renderer):
    two_marks = MARKED_TEMPLATE.replace(
        "{{ message.content }}<eos>{% endgen",
        "{{ message.content }}{% endgeneration %}|{% generation %}<eos>{% endgen",
    )
    assert trained(renderer(two_marks), CHAT) == "3<eos>seven<eos>"
    assert trained(renderer(two_marks), CHAT, "last_assistant_message") == "seven|<eos>"


@pytest.mark.parametrize("template", [MARKED_TEMPLATE, PLAIN_TEMPLATE, LINES])
def test_the_prompt_is_a_prefix_of_what_is_trained_on(renderer, template):
    made = renderer(template)
    assert made.extends
    for turns in (1, 3):
        prompt = made.prompt(CHAT.upto(turns))
        assert made.supervised(CHAT, "all_assistant_messages").tokens[: len(prompt)] == prompt


def test_a_template_that_ends_a_whole_conversation_otherwise_gives_an_example_for_each_answer(
    renderer,
):
    made = renderer(LINES.replace("{% endif %}", "{% else %}<eos>{% endif %}"))
    chat = talk(user("a"), assistant("\nb"), user("c"), assistant("d"))
    examples = made.examples(chat, "all_assistant_messages")
    assert [trained_text(made._tokenizer, each) for each in examples] == [
        "\nb<eos>",
        "d<eos>",
    ]


def test_a_template_whose_prompt_is_not_how_its_answers_begin_is_refused(renderer):
    opens = LINES.replace("<assistant>\n{%", "<assistant>\n<think>\n{%")
    with pytest.raises(
        RenderError, match="begins answers otherwise than its generation prompt ends"
    ):
        renderer(opens).examples(CHAT, "all_assistant_messages")


def test_a_template_that_drops_thoughts_from_history_gives_an_example_for_each_answer(renderer):
    made = renderer(THINKS)
    chat = talk(user("a"), assistant("b", thinking="t"), user("c"), assistant("d", thinking="u"))
    assert not made.extends
    texts = [
        made._tokenizer.decode(e.tokens) for e in made.examples(chat, "all_assistant_messages")
    ]
    assert texts == [
        "<user>a<eos><assistant>(t)b<eos>",
        "<user>a<eos><assistant>b<eos><user>c<eos><assistant>(u)d<eos>",
    ]
    said = [trained_text(made._tokenizer, e) for e in made.examples(chat, "all_assistant_messages")]
    assert said == ["(t)b<eos>", "(u)d<eos>"]


def test_a_template_that_drops_thoughts_is_refused_for_one_sequence_with_the_remedy(renderer):
    chat = talk(user("a"), assistant("b"), user("c"), assistant("d"))
    with pytest.raises(RenderError, match=r"rewrites earlier turns.*last_assistant_message"):
        renderer(THINKS).supervised(chat, "all_assistant_messages")
    with pytest.raises(RenderError, match="train_on=all_messages trains earlier answers"):
        renderer(THINKS).examples(chat, "all_messages")


def test_marks_do_not_hide_that_a_template_drops_what_is_trained(renderer):
    chat = talk(user("a"), assistant(" b ", thinking="t"))
    trims = MARKED_TEMPLATE.replace(
        "{{ message.content }}<eos>{% endgen", "{{ message.content | trim }}<eos>{% endgen"
    )
    assert trained(renderer(trims), talk(*chat.messages[:1], assistant(" b "))) == "b<eos>"
    drops = trims.replace(
        "{{ message.content | trim }}", "{{ message.content.split('</think>')[-1] }}"
    )
    with pytest.raises(RenderError, match="leaves out or rewrites part of its turn 2"):
        renderer(drops).supervised(chat, "all_assistant_messages")


def test_a_template_that_rewrites_everything_is_refused(renderer):
    with pytest.raises(RenderError, match=r"rewrites earlier turns.*generation"):
        renderer(REWRITES_ALL).supervised(CHAT, "all_assistant_messages")
    with pytest.raises(RenderError, match=r"begins answers otherwise.*generation"):
        renderer(REWRITES_ALL).examples(CHAT, "all_assistant_messages")


def test_a_template_that_refuses_a_turn_is_a_render_error_with_its_reason(renderer):
    chat = talk(user("a"), Message("tool", "b"), assistant("c"))
    with pytest.raises(RenderError, match="no tools here"):
        renderer(MARKED_TEMPLATE).supervised(chat, "all_assistant_messages")


def test_a_model_without_a_template_is_refused(renderer):
    with pytest.raises(RenderError, match="no chat template"):
        renderer(None)


def test_tools_calls_and_thoughts_go_to_a_template_that_knows_them(renderer):
    made = renderer(KNOWS_TOOLS)
    text = made._tokenizer.decode(made.supervised(CALLS, "all_tokens").tokens)
    tools = (
        '[{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]'
    )
    assert text.startswith(f"<system>{tools}<eos>")
    assert trained(made, CALLS) == 'ask|[weather{"city": "Rome"}]<eos>|sunny<eos>'


@pytest.mark.parametrize("template", [PLAIN_TEMPLATE, MARKED_TEMPLATE, LINES])
def test_a_template_without_a_place_for_them_gets_them_as_text_and_they_are_read_back(
    renderer, template
):
    made = renderer(template)
    call = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'
    said = f"<think>\nask\n</think>\n\n{call}<eos>"
    assert trained(made, CALLS) == f"{said}sunny<eos>"
    assert '{"name": "weather", "parameters"' in made.text(made.prompt(CALLS.upto(1)))
    parsed = made.parse(made._tokenizer.encode(said))
    assert parsed.complete
    assert parsed.message == CALLS.messages[1]


def test_a_thought_that_stands_in_the_text_is_told_to_a_template_that_knows_thoughts(renderer):
    chat = talk(user("a"), assistant("<think>\nhm\n</think>\n\nb"))
    assert trained(renderer(THINKS), chat) == "(hm)b<eos>"


def test_a_completion_that_goes_on_with_the_prompt_s_thought_is_read(renderer):
    opens = LINES.replace("<assistant>\n{%", "<assistant>\n<think>\n{%")
    made = renderer(opens)
    encode = made._tokenizer.encode
    parsed = made.parse(encode("hm\n</think>\n\n4<eos>"))
    assert (parsed.message.thinking, parsed.message.content, parsed.complete) == ("hm", "4", True)
    assert not made.parse(encode("hm, 4<eos>")).complete


@pytest.mark.parametrize(
    "completion",
    [b"4", b"<think>4<eos>", b'<tool_call>{"name": "f"<eos>', b"<tool_call>{}</tool_call><eos>"],
)
def test_a_malformed_completion_is_not_complete_and_nothing_of_it_is_lost(renderer, completion):
    made = renderer(PLAIN_TEMPLATE)
    parsed = made.parse(made._tokenizer.encode(completion.decode()))
    assert not parsed.complete
    assert parsed.message == assistant(completion.decode().removesuffix("<eos>"))


def test_a_completion_reads_without_its_control_tokens(renderer):
    assert renderer(MARKED_TEMPLATE).text([*b"hi", EOS]) == renderer(MARKED_TEMPLATE).text([*b"hi"])


def test_the_embedded_model_trains_the_answer_and_the_end_of_turn():
    tiny = TemplateRenderer(tiny_tokenizer())
    (row,) = rows_as(EXAMPLES, dataset_rows("arithmetic", "test")[:1], "test")
    (end,) = tiny.stop.tokens
    rendered = tiny.supervised(row, "all_assistant_messages")
    assert trained(tiny, row).startswith(row.answer.content)
    assert rendered.tokens[-1] == end
    assert rendered.trained[-1]


@pytest.mark.parametrize("train_on", sorted(set(get_args(TrainOnWhat)) - {"customized"}))
def test_the_embedded_model_supports_every_choice(train_on):
    chat = talk(Message("system", "be brief"), *CHAT.messages)
    assert any(TemplateRenderer(tiny_tokenizer()).supervised(chat, train_on).trained)
