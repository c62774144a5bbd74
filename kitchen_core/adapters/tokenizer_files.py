"""The files that make up a model folder's tokenizer."""

from __future__ import annotations

import shutil
from pathlib import Path

_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "spiece.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)


def copy_tokenizer_files(source: Path, folder: Path) -> None:
    """Put the tokenizer and the chat template of one model folder into another, byte for byte."""
    for name in _FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
