"""A Hugging Face tokenizer behind the tokenizer port."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend
from tokenizers import processors
from transformers import AutoTokenizer
from transformers.utils import chat_template_utils

from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.errors import InvalidRequest, PortError, Unsupported
from kitchen_core.train.ports.tokenizer import ChatText, Encoded
from kitchen_core.train.types import Message

_TODAY = datetime(2024, 7, 26)
"""What templates that write today's date are told, so that a run means the same on every day. Those
of Llama 3 write this one where they are told none.
"""

_render: Any = chat_template_utils.render_jinja_template
"""Gives texts and, where marks are asked for, their spans; its annotation says `str`."""


@lru_cache
def _marks(template: str) -> bool:
    """Whether a template marks what the assistant says."""
    return re.search(r"\{%-?\s*generation\s*-?%\}", template) is not None


class HuggingFaceTokenizer:
    """The tokenizer of a model folder."""

    def __init__(self, folder: Path) -> None:
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except ValueError as error:
            raise Unsupported(
                f"transformers can't load the tokenizer in {folder}: {error}",
                hint="Use a model with a tokenizer.json.",
            ) from error
        if not self._tokenizer.is_fast:
            raise Unsupported(
                f"the tokenizer in {folder} can't say which characters a token covers",
                hint="Use a model with a tokenizer.json.",
            )
        self.eos_token_ids = self._find_eos(folder)
        self.bos_token_id: int | None = self._tokenizer.bos_token_id
        self._backend = _without_additions(self._tokenizer.backend_tokenizer)
        self._template_lock = threading.Lock()  # transformers counts marks in a shared place

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that the tokenizer does: its backend, special tokens and chat template."""
        return self._fingerprint

    @property
    def vocab_size(self) -> int:
        """One more than the highest token id."""
        return max(self._backend.get_vocab(with_added_tokens=True).values()) + 1

    @property
    def has_chat_template(self) -> bool:
        """Whether the model brings a chat template."""
        return self._tokenizer.chat_template is not None

    def encode(self, text: str, *, literal: bool = False) -> list[int]:
        """Token ids of `text`, nothing added; `literal` spells control tokens as ordinary text."""
        backend = self._literal_backend if literal else self._backend
        return backend.encode(text, add_special_tokens=False).ids

    def encode_with_spans(self, text: str) -> Encoded:
        """Token ids of `text`, each with the characters that it covers."""
        encoding = self._backend.encode(text, add_special_tokens=False)
        return Encoded(encoding.ids, encoding.offsets)

    def decode(self, tokens: Sequence[int], *, skip_special: bool = False) -> str:
        """The text of `tokens`; `skip_special` leaves out control tokens."""
        return self._tokenizer.decode(
            list(tokens), skip_special_tokens=skip_special, clean_up_tokenization_spaces=False
        )

    def token_id(self, text: str) -> int | None:
        """The id of the token listed under exactly this text, or None."""
        return self._backend.token_to_id(text)

    def chat_text(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = False,
    ) -> ChatText:
        """The conversation through the model's own template. Raises InvalidRequest where it refuses."""
        template = self._template(with_tools=bool(tools))
        marked = _marks(template)
        try:
            with self._template_lock:
                _stop_the_clock(template)
                (text,), spans = _render(
                    [[message.to_json() for message in messages]],
                    tools=list(tools) or None,
                    chat_template=template,
                    add_generation_prompt=add_generation_prompt,
                    return_assistant_tokens_mask=marked,
                    **self._special_tokens,
                )
        except Exception as error:  # a template is its author's code, and may fail in any way
            raise InvalidRequest(
                f"the chat template refuses the conversation: {error}",
                hint="Look at the order and the roles of its messages.",
            ) from error
        return ChatText(text, tuple(spans[0]) if marked else None)

    def _template(self, *, with_tools: bool) -> str:
        """The template's source; a model may bring another one for conversations with tools."""
        try:
            return self._tokenizer.get_chat_template(None, [{}] if with_tools else None)
        except ValueError as error:
            raise InvalidRequest(
                "the model has no chat template that could be taken by default",
                hint="Choose a renderer, or a model that was made for chat.",
            ) from error

    @cached_property
    def _fingerprint(self) -> str:
        return sha256_of_json(
            {
                "backend": self._backend.to_str(),
                "special_tokens": self._special_tokens,
                "bos": self.bos_token_id,
                "eos": self.eos_token_ids,
                "chat_template": self._tokenizer.chat_template,
                "today": _TODAY.isoformat(),
            }
        )

    @cached_property
    def _special_tokens(self) -> dict[str, str]:
        return {name: str(token) for name, token in self._tokenizer.special_tokens_map.items()}

    @cached_property
    def _literal_backend(self) -> Backend:
        """A copy, because the setting belongs to a backend and two threads may encode at once."""
        backend = Backend.from_str(self._backend.to_str())
        backend.encode_special_tokens = True
        return backend

    def _find_eos(self, folder: Path) -> tuple[int, ...]:
        """The tokenizer's own end token first, then those of generation_config.json."""
        found: list[int | None] = [self._tokenizer.eos_token_id]
        config = folder / "generation_config.json"
        if config.is_file():
            listed = json.loads(config.read_text(encoding="utf-8")).get("eos_token_id")
            found.extend(listed if isinstance(listed, list) else [listed])
        return tuple(dict.fromkeys(token for token in found if token is not None))


def load_tokenizer(folder: Path, adapter: str) -> HuggingFaceTokenizer:
    """The tokenizer of a model folder, for the training client of that adapter. Raises PortErrors; an OSError
    stays as it is.
    """
    try:
        return HuggingFaceTokenizer(folder)
    except (PortError, OSError):
        raise
    except Exception as error:  # the libraries raise what they like for a file that is damaged
        raise PortError(
            f"{type(error).__name__}: {error}",
            port="training_client",
            adapter=adapter,
            asked="tokenizer",
        ) from error


def _stop_the_clock(template: str) -> None:
    """Tell the compiled template, which transformers keeps, that it is always the same day."""
    compiled: Any = chat_template_utils._compile_jinja_template(template)
    compiled.globals["strftime_now"] = _TODAY.strftime


def _without_additions(backend: Backend) -> Backend:
    """The backend told to cut, pad and post-process nothing; a post-processor would also trim the
    spaces from what tokens cover.
    """
    backend.no_truncation()
    backend.no_padding()
    backend.post_processor = processors.Sequence([])
    return backend
