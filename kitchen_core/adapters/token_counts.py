"""Counting the tokens of texts with a model's tokenizer alone: no template, no transformers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from tokenizers import Tokenizer

CHARACTERS_A_TOKEN = 4
"""Of English text, where there is no tokenizer to ask."""

_SYSTEM_PROMPT = re.compile(r"You are [^'\"{}<\\]+")


@lru_cache(maxsize=8)
def token_counter(folder: Path) -> Callable[[str], int]:
    """How many tokens a text has for the model in a folder; by its characters where its tokenizer can't be read."""
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception:  # the library raises Exception itself
        return lambda text: -(-len(text) // CHARACTERS_A_TOKEN)
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


@lru_cache(maxsize=8)
def standing_prompt(folder: Path) -> str:
    """What a model's chat template tells it where a conversation has no system turn, as far as that can be seen
    without running the template; mostly nothing.
    """
    found = _SYSTEM_PROMPT.search(_template(folder))
    return found[0] if found else ""


def _template(folder: Path) -> str:
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        try:
            text = (folder / name).read_text(encoding="utf-8")
            return text if name.endswith(".jinja") else str(json.loads(text)["chat_template"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return ""
