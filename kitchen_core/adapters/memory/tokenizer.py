"""A tokenizer of bytes and five control tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.tokenizer import ChatText, Encoded, Span
from kitchen_core.train.types import Message

EOS = 256
_CONTROL = {EOS: "<eos>", 257: "<system>", 258: "<user>", 259: "<assistant>", 260: "<tool>"}
_CONTROL_IDS = {text: token for token, text in _CONTROL.items()}
_PIECES = re.compile("(" + "|".join(_CONTROL_IDS) + ")")
VOCAB_SIZE = 256 + len(_CONTROL)


class ByteTokenizer:
    """Each byte of UTF-8 is a token. A turn is its role's token, the text, and `<eos>`."""

    eos_token_ids = (EOS,)
    bos_token_id = None
    has_chat_template = True
    fingerprint = sha256_of_json({"bytes": 256, "control": list(_CONTROL.values())})

    def encode(self, text: str, *, literal: bool = False) -> list[int]:
        """Token ids of `text`, nothing added; `literal` spells control tokens as bytes."""
        return list(text.encode()) if literal else self.encode_with_spans(text).tokens

    def encode_with_spans(self, text: str) -> Encoded:
        """Token ids of `text`, each with the characters that it covers."""
        tokens: list[int] = []
        spans: list[Span] = []
        at = 0
        for piece in _PIECES.split(text):
            if piece in _CONTROL_IDS:
                tokens.append(_CONTROL_IDS[piece])
                spans.append((at, at + len(piece)))
            else:
                for i, char in enumerate(piece, start=at):
                    said = char.encode()
                    tokens += said
                    spans += [(i, i + 1)] * len(said)
            at += len(piece)
        return Encoded(tokens, spans)

    def decode(self, tokens: Sequence[int], *, skip_special: bool = False) -> str:
        """The text of `tokens`; `skip_special` leaves out control tokens."""
        pieces = [
            bytes([token]) if token < EOS else b"" if skip_special else _CONTROL[token].encode()
            for token in tokens
        ]
        return b"".join(pieces).decode(errors="replace")

    def token_id(self, text: str) -> int | None:
        """The id of a control token, or of a one-byte text."""
        if text in _CONTROL_IDS:
            return _CONTROL_IDS[text]
        return text.encode()[0] if len(text.encode()) == 1 else None

    def chat_text(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = False,
    ) -> ChatText:
        """The conversation as text; what the assistant says is marked, its `<eos>` included."""
        del tools  # this template has no place for them
        text = ""
        said: list[Span] = []
        for message in messages:
            text += f"<{message.role}>"
            turn = f"{message.content}<eos>"
            if message.role == "assistant":
                said.append((len(text), len(text) + len(turn)))
            text += turn
        if add_generation_prompt:
            text += "<assistant>"
        return ChatText(text, tuple(said))
