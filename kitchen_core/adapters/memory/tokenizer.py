"""A tokenizer of bytes and five control tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.tokenizer import RenderedChat
from kitchen_core.train.types import Message

EOS = 256
_CONTROL = {EOS: "<eos>", 257: "<system>", 258: "<user>", 259: "<assistant>", 260: "<tool>"}
_ROLES = {name[1:-1]: token for token, name in _CONTROL.items()}
VOCAB_SIZE = 256 + len(_CONTROL)


class ByteTokenizer:
    """Each byte of UTF-8 is a token. A turn is its role's token, the text, and `<eos>`."""

    eos_token_ids = (EOS,)
    has_chat_template = True
    fingerprint = sha256_of_json({"bytes": 256, "control": list(_CONTROL.values())})

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, nothing added."""
        return list(text.encode())

    def decode(self, tokens: Sequence[int], *, skip_special: bool = False) -> str:
        """The text of `tokens`; `skip_special` leaves out control tokens."""
        pieces = [
            bytes([token]) if token < EOS else b"" if skip_special else _CONTROL[token].encode()
            for token in tokens
        ]
        return b"".join(pieces).decode(errors="replace")

    def token_id(self, text: str) -> int | None:
        """The id of a control token, or of a one-byte text."""
        if text in _CONTROL.values():
            return next(token for token, name in _CONTROL.items() if name == text)
        return self.encode(text)[0] if len(text.encode()) == 1 else None

    def render_chat(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = False,
    ) -> RenderedChat:
        """The conversation as tokens; what the assistant says is marked, its `<eos>` included."""
        del tools  # bytes have no way to spell them
        tokens: list[int] = []
        mask: list[bool] = []
        for message in messages:
            said = [*self.encode(message.content), EOS]
            tokens += [_ROLES[message.role], *said]
            mask += [False] + [message.role == "assistant"] * len(said)
        if add_generation_prompt:
            tokens.append(_ROLES["assistant"])
            mask.append(False)
        return RenderedChat(tokens, mask)
