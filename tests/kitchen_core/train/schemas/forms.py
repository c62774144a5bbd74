"""The same few conversations in every form that data sets have; the rows are our own."""

from __future__ import annotations

import json

from kitchen_core.train.types import Message, ToolCall

SYSTEM = Message("system", "Be brief.")
HI = Message("user", "Hi!")
HELLO = Message("assistant", "Hello.")
BYE = Message("user", "Bye!")
CIAO = Message("assistant", "Ciao.")


def openai(*messages):
    return [message.to_json() for message in messages]


def sharegpt(*messages):
    words = {"user": "human", "assistant": "gpt", "system": "system"}
    return [{"from": words[each.role], "value": each.content} for each in messages]


ONE_TURN = {
    "messages": {"messages": openai(HI, HELLO)},
    "messages as JSON text": {"messages": json.dumps(openai(HI, HELLO))},
    "messages in ShareGPT's spelling": {"messages": sharegpt(HI, HELLO)},
    "content in parts": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": t} for t in ("H", "i!")]},
            HELLO.to_json(),
        ]
    },
    "sharegpt": {"conversations": sharegpt(HI, HELLO)},
    "sharegpt with other words": {
        "conversations": [
            {"from": "user", "value": "Hi!"},
            {"from": "chatgpt", "value": "Hello."},
        ]
    },
    "conversations in OpenAI's spelling": {"conversations": openai(HI, HELLO)},
    "alpaca": {"instruction": "Hi!", "output": "Hello."},
    "alpaca without input": {"instruction": "Hi!", "input": "", "output": "Hello."},
    "alpaca with input only": {"instruction": "", "input": "Hi!", "output": "Hello."},
    "alpaca with the filled template beside": {
        "instruction": "Hi!",
        "input": None,
        "output": "Hello.",
        "text": "Below is an instruction. Hi! Hello.",
    },
    "prompt and completion": {"prompt": "Hi!", "completion": "Hello."},
    "prompt and completion as turns": {"prompt": openai(HI), "completion": openai(HELLO)},
    "completion as one turn": {"prompt": "Hi!", "completion": HELLO.to_json()},
    "preference": {"prompt": "Hi!", "chosen": "Hello.", "rejected": "What?"},
    "preference as turns": {
        "prompt": openai(HI),
        "chosen": openai(HELLO),
        "rejected": openai(CIAO),
    },
    "preference whose answers repeat the prompt": {
        "prompt": "Hi!",
        "chosen": openai(HI, HELLO),
        "rejected": openai(HI, CIAO),
    },
    "preference without a prompt of its own": {
        "chosen": openai(HI, HELLO),
        "rejected": openai(HI, CIAO),
    },
    "preference beside the chosen messages": {
        "prompt": "Hi!",
        "chosen": openai(HI, HELLO),
        "rejected": openai(HI, CIAO),
        "messages": openai(HI, HELLO),
        "score_chosen": 8.0,
    },
    "preference in ShareGPT's spelling": {
        "conversations": sharegpt(HI),
        "chosen": sharegpt(HELLO)[0],
        "rejected": sharegpt(CIAO)[0],
    },
    "preference as transcripts": {
        "chosen": "\n\nHuman: Hi!\n\nAssistant: Hello.",
        "rejected": "\n\nHuman: Hi!\n\nAssistant: What?",
    },
    "preference with the prompt as a transcript": {
        "prompt": "\n\nHuman: Hi!\n\nAssistant:",
        "chosen": "Hello.",
        "rejected": "What?",
    },
    "preference whose rejected answer is empty": {
        "prompt": "Hi!",
        "chosen": "Hello.",
        "rejected": "",
    },
    "question and answer": {"question": "Hi!", "answer": "Hello."},
}


TWO_TURNS = {
    "messages": {"messages": openai(SYSTEM, HI, HELLO, BYE, CIAO)},
    "a developer's prompt": {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            *openai(HI, HELLO, BYE, CIAO),
        ]
    },
    "a system column beside messages": {
        "messages": openai(HI, HELLO, BYE, CIAO),
        "system": "Be brief.",
    },
    "a system column that says the same": {
        "messages": openai(SYSTEM, HI, HELLO, BYE, CIAO),
        "system": "Be brief.",
    },
    "sharegpt": {"conversations": sharegpt(SYSTEM, HI, HELLO, BYE, CIAO)},
    "sharegpt with a system column": {
        "conversations": sharegpt(HI, HELLO, BYE, CIAO),
        "system": "Be brief.",
    },
    "alpaca with history": {
        "system": "Be brief.",
        "history": [["Hi!", "Hello."]],
        "instruction": "Bye!",
        "input": "",
        "output": "Ciao.",
    },
    "prompt as turns": {"prompt": openai(SYSTEM, HI, HELLO, BYE), "completion": "Ciao."},
    "completion of several turns": {
        "system": "Be brief.",
        "prompt": "Hi!",
        "completion": openai(HELLO, BYE, CIAO),
    },
    "preference as transcripts": {
        "system": "Be brief.",
        "chosen": "\n\nHuman: Hi!\n\nAssistant: Hello.\n\nHuman: Bye!\n\nAssistant: Ciao.",
        "rejected": "\n\nHuman: Hi!\n\nAssistant: Hello.\n\nHuman: Bye!\n\nAssistant: What?",
    },
    "preference in ShareGPT's spelling": {
        "conversations": sharegpt(SYSTEM, HI, HELLO, BYE),
        "chosen": sharegpt(CIAO)[0],
        "rejected": sharegpt(HELLO)[0],
    },
}


CALL = ToolCall("add", '{"a": 1, "b": 2}')
CALL_JSON = {"name": "add", "arguments": {"a": 1, "b": 2}}
THREE = Message("tool", "3")
TOOL_USE = {
    "wrapped, arguments as text": [
        HI.to_json(),
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"type": "function", "function": {"name": "add", "arguments": CALL.arguments}}
            ],
        },
        {"role": "tool", "content": "3"},
        HELLO.to_json(),
    ],
    "bare, arguments as an object": [
        HI.to_json(),
        {"role": "assistant", "content": "", "tool_calls": [CALL_JSON]},
        {"role": "tool", "content": "3"},
        HELLO.to_json(),
    ],
    "older OpenAI": [
        HI.to_json(),
        {"role": "assistant", "content": None, "function_call": CALL_JSON},
        {"role": "function", "content": "3"},
        HELLO.to_json(),
    ],
    "sharegpt": [
        {"from": "human", "value": "Hi!"},
        {"from": "function_call", "value": json.dumps(CALL_JSON)},
        {"from": "observation", "value": "3"},
        {"from": "gpt", "value": "Hello."},
    ],
}
