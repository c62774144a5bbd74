"""Datasets as people really have them, and the one line that each is refused with."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from kitchen_core.adapters.local_files import LocalFiles
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.schemas import EXAMPLES, RowError, rows_as

USER = {"role": "user", "content": "What is 1 + 2?"}
ASSISTANT = {"role": "assistant", "content": "3"}
HUMAN = {"from": "human", "value": "What is 1 + 2?"}
GPT = {"from": "gpt", "value": "3"}
FORMS = (
    "preference (chosen, rejected), messages, sharegpt (conversations), "
    "alpaca (instruction, output), prompt_completion (prompt, completion), "
    "question_answer (question, answer), text"
)
FIELDS = (
    "chosen, rejected, prompt, conversations, system, tools, messages, instruction, output, input, "
    "history, completion, question, answer, text"
)


class Malformed(NamedTuple):
    """A dataset file, the mapping that it is read with, and what is said of it."""

    content: bytes
    message: str
    name: str = "data.jsonl"
    fields: dict[str, str] = {}  # noqa: RUF012 - a tuple's default is never written to


def rows(*found: dict[str, Any], says: str, **fields: str) -> Malformed:
    lines = "\n".join(json.dumps(row) for row in found)
    return Malformed(lines.encode(), f"data.jsonl {says}", fields=fields)


def messages(*turns: Any, says: str, **columns: Any) -> Malformed:
    return rows({"messages": list(turns), **columns}, says=f"row 1: {says}")


def conversations(*turns: Any, says: str) -> Malformed:
    return rows({"conversations": list(turns)}, says=f"row 1: {says}")


def calling(**function: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [{"function": function}]}


def file(name: str, content: bytes, says: str) -> Malformed:
    return Malformed(content, says, name)


COLUMNS = {
    "columns of no form": rows(
        {"body": "x", "title": "y"},
        says="row 1: no known form has the columns body, title; "
        f'say which column is which by fields={{"FIELD": "COLUMN"}}; forms: {FORMS}',
    ),
    "half a form": rows(
        {"instruction": "a", "context": "", "response": "b"},
        says="row 1: no known form has the columns instruction, context, response; "
        f'nearest is alpaca, which needs output: set fields={{"output": "COLUMN"}}; forms: {FORMS}',
    ),
    "a misspelt column": rows(
        {"mesages": [USER, ASSISTANT]},
        says="row 1: no known form has the columns mesages; nearest is messages, which needs "
        f'messages: set fields={{"messages": "mesages"}}; forms: {FORMS}',
    ),
    "a column that is a field already is not guessed to be another": rows(
        {"prompt": "a"},
        says="row 1: no known form has the columns prompt; nearest is prompt_completion, which needs "
        f'completion: set fields={{"completion": "COLUMN"}}; forms: {FORMS}',
    ),
    "an object without columns": rows(
        {},
        says="row 1: the row has no columns; "
        f'say which column is which by fields={{"FIELD": "COLUMN"}}; forms: {FORMS}',
    ),
    "more columns than one cares to read": rows(
        {f"c{n}": n for n in range(40)},
        says="row 1: no known form has the columns c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, "
        'c11 and 28 more; say which column is which by fields={"FIELD": "COLUMN"}; '
        f"forms: {FORMS}",
    ),
    "a mapped field that no form has": rows(
        {"q": "a", "a": "b"},
        promt="q",
        completion="a",
        says="row 1: fields names 'promt', which no form has; did you mean 'prompt'? "
        f"(known: {FIELDS})",
    ),
    "columns mapped to fields": rows(
        {"q": "a", "answer": "b", "who": "c"},
        q="question",
        answer="answer",
        who="system",
        says="row 1: fields is the wrong way round: it leads from a form's field to your column; "
        'write fields={"question": "q", "answer": "answer", "system": "who"}',
    ),
    "mapped fields of two forms": rows(
        {"q": "a", "a": "b"},
        prompt="q",
        answer="a",
        says=f"row 1: fields mixes forms: prompt, answer; forms: {FORMS}",
    ),
    "a mapped column that is not there": rows(
        {"query": "a", "reply": "b"},
        prompt="query",
        completion="replies",
        says="row 1: fields maps 'completion' to 'replies', which is no column; "
        "did you mean 'reply'? (columns: query, reply)",
    ),
    "a mapped column within a column that is not there": rows(
        {"data": {"turns": [USER, ASSISTANT]}},
        messages="data.turn",
        says="row 1: fields maps 'messages' to 'data.turn', which is no column; "
        "did you mean 'data.turns'? (columns: data)",
    ),
    "a mapping that leaves out a field": rows(
        {"q": "a", "a": "b"},
        prompt="q",
        says="row 1: no known form has the columns q, a; nearest is prompt_completion, which needs "
        f'completion: set fields={{"completion": "COLUMN"}}; forms: {FORMS}',
    ),
    "a later row of another form": rows(
        {"messages": [USER, ASSISTANT]},
        {"text": "x"},
        says="row 2: field 'messages': is missing, the first row has it (columns: text)",
    ),
}

TURNS = {
    "turns that are text": messages(
        says="field 'messages': expected a list of turns, found 'User: hi'", messages="User: hi"
    ),
    "turns that are null": messages(
        says="field 'messages': expected a list of turns, found nothing", messages=None
    ),
    "turns as Python wrote them": messages(
        says="field 'messages': expected valid JSON, found \"[{'role': 'user'}]\"",
        messages="[{'role': 'user'}]",
    ),
    "no turns": messages(says="field 'messages': there are no turns"),
    "a turn that is text": messages(
        "hi",
        says="field 'messages[0]': expected a turn: an object with role and content, found 'hi'",
    ),
    "a turn without a role": messages(
        {"content": "hi"},
        ASSISTANT,
        says="field 'messages[0].role': expected one of system, user, assistant, tool, "
        "found nothing",
    ),
    "an unknown role": messages(
        {"role": "User", "content": "hi"},
        ASSISTANT,
        says="field 'messages[0].role': expected one of system, user, assistant, tool, "
        "found 'User'",
    ),
    "a number for content": messages(
        USER,
        {"role": "assistant", "content": 3},
        says="field 'messages[1].content': expected text or a list of parts, found 3",
    ),
    "no content and no call": messages(
        USER,
        {"role": "assistant", "content": None},
        says="field 'messages[1].content': expected text, found nothing",
    ),
    "an answer of white space": messages(
        USER,
        {"role": "assistant", "content": " \n "},
        says="field 'messages[1].content': is empty, expected text",
    ),
    "an empty question": messages(
        {"role": "user", "content": ""},
        ASSISTANT,
        says="field 'messages[0].content': is empty, expected text",
    ),
    "a thought without an answer": messages(
        USER,
        {"role": "assistant", "content": "", "reasoning_content": "Hm."},
        says="field 'messages[1].content': is empty, expected text",
    ),
    "no answer": messages(
        USER, says="field 'messages': no assistant turn, so there is nothing to learn"
    ),
    "the assistant begins": messages(
        ASSISTANT,
        USER,
        says="field 'messages': a conversation can't begin with an assistant's turn",
    ),
    "a tool answers the user": messages(
        USER,
        {"role": "tool", "content": "3"},
        ASSISTANT,
        says="field 'messages[1]': a tool's turn must follow an assistant's turn",
    ),
    "a picture": messages(
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        ASSISTANT,
        says="field 'messages[0].content[0].type': expected text or thinking, found 'image_url'",
    ),
    "a part without its text": messages(
        {"role": "user", "content": [{"type": "text", "content": "hi"}]},
        ASSISTANT,
        says="field 'messages[0].content[0].text': expected text, found nothing",
    ),
    "two thoughts": messages(
        USER,
        {**ASSISTANT, "thinking": "a", "reasoning_content": "b"},
        says="field 'messages[1]': what the assistant thought is given twice, and differently",
    ),
    "half a weight": messages(
        USER,
        {**ASSISTANT, "weight": 0.5},
        says="field 'messages[1].weight': expected true or false, or 1 or 0, found 0.5",
    ),
    "two system prompts": messages(
        {"role": "system", "content": "Be brief."},
        USER,
        ASSISTANT,
        system="Be long.",
        says="field 'system': the conversation begins with another system prompt; keep one of them",
    ),
    "a system prompt that is a number": messages(
        USER, ASSISTANT, system=7, says="field 'system': expected text, found 7"
    ),
    "an unknown ShareGPT speaker": conversations(
        {"from": "bing", "value": "hi"},
        GPT,
        says="field 'conversations[0].from': expected one of human, gpt, system, function_call, "
        "observation, found 'bing'",
    ),
    "a ShareGPT turn of nothing": conversations(
        HUMAN,
        {"from": "gpt", "value": None},
        says="field 'conversations[1].value': expected text, found nothing",
    ),
    "a ShareGPT conversation that gpt begins": conversations(
        GPT,
        HUMAN,
        GPT,
        says="field 'conversations': a conversation can't begin with an assistant's turn",
    ),
}

TOOLS = {
    "arguments that are no JSON": messages(
        USER,
        calling(name="add", arguments="{a: 1}"),
        says="field 'messages[1].tool_calls[0].function.arguments': expected valid JSON, "
        "found '{a: 1}'",
    ),
    "arguments that are no object": messages(
        USER,
        calling(name="add", arguments="[1, 2]"),
        says="field 'messages[1].tool_calls[0].function.arguments': expected a JSON object, "
        "or the text of one, found '[1, 2]'",
    ),
    "a call without a name": messages(
        USER,
        calling(arguments="{}"),
        says="field 'messages[1].tool_calls[0].function.name': expected text, found nothing",
    ),
    "calls that are no list": messages(
        USER,
        {"role": "assistant", "tool_calls": 7},
        says="field 'messages[1].tool_calls': expected a list of calls, found 7",
    ),
    "a user that calls": messages(
        {**USER, "tool_calls": [{"name": "add", "arguments": {}}]},
        ASSISTANT,
        says="field 'messages[0]': only an assistant calls tools, this turn is the user's",
    ),
    "a user that thinks": messages(
        {**USER, "thinking": "Hm."},
        ASSISTANT,
        says="field 'messages[0]': only an assistant thinks, this turn is the user's",
    ),
    "tools that are names": messages(
        USER,
        ASSISTANT,
        tools="add, multiply",
        says="field 'tools': expected a list of functions, found 'add, multiply'",
    ),
    "a tool without a name": messages(
        USER,
        ASSISTANT,
        tools=[{"type": "function", "function": {"description": "Adds."}}],
        says="field 'tools[0].function.name': expected text, found nothing",
    ),
    "a ShareGPT call in Python": conversations(
        HUMAN,
        {"from": "function_call", "value": "add(1, 2)"},
        says="field 'conversations[1].value': expected a call: an object with name and arguments, "
        "found 'add(1, 2)'",
    ),
    "a ShareGPT call in single quotes": conversations(
        HUMAN,
        {"from": "function_call", "value": "{'name': 'add'}"},
        says="field 'conversations[1].value': expected valid JSON, found \"{'name': 'add'}\"",
    ),
}

ANSWERS = {
    "an empty Alpaca output": rows(
        {"instruction": "a", "input": "", "output": ""},
        says="row 1: field 'output': is empty, expected text",
    ),
    "an Alpaca row that asks nothing": rows(
        {"instruction": "", "input": " ", "output": "b"},
        says="row 1: field 'instruction': is empty, expected text",
    ),
    "an Alpaca history that is no pairs": rows(
        {"instruction": "a", "output": "b", "history": [["only asked"]]},
        says="row 1: field 'history[0]': expected a [question, answer] pair, "
        'found ["only asked"]',
    ),
    "a completion that is the user's": rows(
        {"prompt": "a", "completion": [USER]},
        says="row 1: field 'completion': must end with an assistant's turn, ends with the user's",
    ),
    "a completion that is a number": rows(
        {"prompt": "a", "completion": 7},
        says="row 1: field 'completion': expected text, a turn or a list of turns, found 7",
    ),
    "a preference without a prompt": rows(
        {"chosen": "a", "rejected": "b"},
        says="row 1: field 'chosen': answers no prompt; "
        'name its column with fields={"prompt": COLUMN}',
    ),
    "a chosen conversation with another prompt": rows(
        {"prompt": "What is 2 + 2?", "chosen": [USER, ASSISTANT], "rejected": []},
        says="row 1: field 'chosen': neither continues what 'prompt' says nor repeats it",
    ),
    "a chosen transcript without an answer": rows(
        {"chosen": "\n\nHuman: hi\n\nAssistant:", "rejected": "b"},
        says="row 1: field 'chosen': must end with an assistant's turn, ends with the user's",
    ),
    "a transcript with an empty turn": rows(
        {"chosen": "\n\nHuman: \n\nAssistant: yes", "rejected": "b"},
        says="row 1: field 'chosen': turn 1 (Human) is empty",
    ),
    "an answer that is a fraction": rows(
        {"question": "What is 1 / 2?", "answer": 0.5},
        says="row 1: field 'answer': expected text, found 0.5",
    ),
    "an answer that is true": rows(
        {"question": "Is it?", "answer": True},
        says="row 1: field 'answer': expected text, found true",
    ),
    "a blank text": rows(
        {"text": "a"}, {"text": "\t"}, says="row 2: field 'text': is empty, expected text"
    ),
}

FILES = {
    "a line that is cut off": file(
        "data.jsonl",
        b'{"text": "a"}\n{"text": "b',
        "{folder}/data.jsonl:2: no valid JSON: Unterminated string starting at (column 10)",
    ),
    "a line that is no object": file(
        "data.jsonl",
        b'{"text": "a"}\n"b"\n',
        "{folder}/data.jsonl:2: a row is an object, this is a str",
    ),
    "a list in a jsonl file": file(
        "data.jsonl", b"[\n", "{folder}/data.jsonl:1: no valid JSON: Expecting value (column 2)"
    ),
    "text in another encoding": file(
        "data.jsonl", b'{"text": "caf\xe9"}\n', "{folder}/data.jsonl:1: not UTF-8"
    ),
    "half an emoji": file(
        "data.jsonl",
        b'{"text": "\\ud83d"}\n',
        "{folder}/data.jsonl:1: half a character: \\ud83d stands alone",
    ),
    "nothing at all": file("data.jsonl", b"", "{folder}/data.jsonl: the file is empty"),
    "an empty list": file("data.json", b"[]", "{folder}/data.json: the file has no rows"),
    "rows under another key": file(
        "data.json",
        b'{"rows": [{"text": "a"}]}',
        "{folder}/data.json: neither a list of objects nor an object with a list under data",
    ),
    "a comma that is not in quotes": file(
        "data.csv",
        b"question,answer\nHow, then?,So.\n",
        "{folder}/data.csv:2: 3 values, the header names 2 columns",
    ),
    "a csv row without an answer": file(
        "data.csv",
        b"question,answer\nHow?,\n",
        "data.csv row 1: field 'answer': is empty, expected text",
    ),
    "a download that went wrong": file(
        "data.parquet",
        b"<html>404</html>",
        "{folder}/data.parquet: no valid Parquet file: Parquet magic bytes not found in footer. "
        "Either the file is corrupted or this is not a parquet file.",
    ),
    "a spreadsheet": file("data.xlsx", b"PK", "{folder}/data.xlsx: unknown kind of file '.xlsx'"),
}

MALFORMED = COLUMNS | TURNS | TOOLS | ANSWERS | FILES


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_dataset_is_refused_in_one_line(case, tmp_path):
    content, message, name, fields = MALFORMED[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises((RowError, InvalidRequest)) as refused:
        list(rows_as(EXAMPLES, await LocalFiles().read(path), name, fields))
    said = (
        refused.value.message if isinstance(refused.value, InvalidRequest) else str(refused.value)
    )
    assert said == message.replace("{folder}", str(tmp_path))
    assert len(said.splitlines()) == 1
