"""A Hugging Face tokenizer behind the tokenizer port."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from transformers import AutoTokenizer

from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.errors import InvalidRequest, Unsupported
from kitchen_core.train.ports.tokenizer import RenderedChat
from kitchen_core.train.types import Message


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
        self.eos_token_ids = self._find_eos(folder)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over vocabulary, special tokens and chat template."""
        return sha256_of_json(
            {
                "vocabulary": self._tokenizer.get_vocab(),
                "special_tokens": {
                    k: str(v) for k, v in self._tokenizer.special_tokens_map.items()
                },
                "chat_template": self._tokenizer.chat_template,
            }
        )

    @property
    def has_chat_template(self) -> bool:
        """Whether the model brings a chat template."""
        return self._tokenizer.chat_template is not None

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, nothing added."""
        return self._tokenizer.encode(text, add_special_tokens=False)

    def decode(self, tokens: Sequence[int], *, skip_special: bool = False) -> str:
        """The text of `tokens`; `skip_special` leaves out control tokens."""
        return self._tokenizer.decode(
            list(tokens), skip_special_tokens=skip_special, clean_up_tokenization_spaces=False
        )

    def token_id(self, text: str) -> int | None:
        """The id of the token listed under exactly this text, or None."""
        return self._tokenizer.get_vocab().get(text)

    def render_chat(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = False,
    ) -> RenderedChat:
        """The conversation through the model's own template. Raises InvalidRequest where it refuses."""
        if not self.has_chat_template:
            raise InvalidRequest(
                "the model has no chat template",
                hint="Choose a renderer, or a model that was made for chat.",
            )
        marked = self._marks_assistant
        try:
            rendered = self._tokenizer.apply_chat_template(
                [message.to_json() for message in messages],
                tools=list(tools) or None,
                add_generation_prompt=add_generation_prompt,
                return_dict=True,
                return_assistant_tokens_mask=marked,
            )
        except TemplateError as error:
            raise InvalidRequest(
                f"the chat template refuses the conversation: {error}",
                hint="Look at the order and the roles of its messages.",
            ) from error
        mask = [bool(flag) for flag in rendered["assistant_masks"]] if marked else None
        return RenderedChat(list(rendered["input_ids"]), mask)

    @cached_property
    def _marks_assistant(self) -> bool:
        """Whether the template marks what the assistant says; without marks transformers gives zeros, not an error."""
        template = self._tokenizer.chat_template
        text = template if isinstance(template, str) else json.dumps(template)
        return "{% generation" in text or "{%- generation" in text

    def _find_eos(self, folder: Path) -> tuple[int, ...]:
        """The tokenizer's own end token first, then those of generation_config.json."""
        found: list[int | None] = [self._tokenizer.eos_token_id]
        config = folder / "generation_config.json"
        if config.is_file():
            listed = json.loads(config.read_text(encoding="utf-8")).get("eos_token_id")
            found.extend(listed if isinstance(listed, list) else [listed])
        return tuple(dict.fromkeys(token for token in found if token is not None))
