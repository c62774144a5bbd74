"""Supervised fine-tuning in one flat script: torch, transformers and peft, nothing of the kitchen.

    python -m benchmarks.reference.sft MODEL_FOLDER CHAT.jsonl [--adapter FOLDER] [--steps 3]

It reads from top to bottom: rows, tokens, batches, model, loop. The tests hold the kitchen's losses
against it and the benchmarks hold the kitchen's speed against it, so it is written the way one would
write it for oneself, and it is no slower than it must be. What it leaves out, and why:

- no evaluation, no checkpoints, no metrics but the loss: they are what the kitchen adds;
- a batch goes through the model whole, so memory grows with it; the logits of every position are kept,
  the untrained ones too;
- rows come in the order of the file: the caller says which examples make which batch;
- no attention mask: rows are padded on the right and attention is causal, so no token sees the padding.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch
import torch.nn.functional as F  # noqa: N812 - what everyone calls it
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

Reduction = Literal["token", "example"]


class Example(NamedTuple):
    """A conversation as tokens `[seq]`, and whether each is the assistant's `[seq]`."""

    tokens: list[int]
    trained: list[bool]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file of chats, `{"messages": [...]}` each."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def tokenize(tokenizer: Any, row: dict[str, Any], max_length: int) -> Example:
    """A row as tokens with the assistant's marked, cut on the right.

    Where the chat template has `{% generation %}` marks, transformers gives the mask. Where it has
    none, an answer is what the conversation with it has more than the prompt before it, up to the
    end-of-turn token.
    """
    messages = row["messages"]
    if "generation %}" in tokenizer.chat_template or "generation -%}" in tokenizer.chat_template:
        chat = tokenizer.apply_chat_template(
            messages, return_dict=True, return_assistant_tokens_mask=True
        )
        tokens, trained = chat["input_ids"], [bool(flag) for flag in chat["assistant_masks"]]
        return Example(tokens[:max_length], trained[:max_length])

    tokens = tokenizer.apply_chat_template(messages)["input_ids"]
    trained = [False] * len(tokens)
    for i, message in enumerate(messages):
        if message["role"] == "assistant":
            prompt = tokenizer.apply_chat_template(messages[:i], add_generation_prompt=True)
            start = len(prompt["input_ids"])
            end = tokens.index(tokenizer.eos_token_id, start) + 1
            trained[start:end] = [True] * (end - start)
    return Example(tokens[:max_length], trained[:max_length])


def pad(batch: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets and the targets' mask, each `[batch, seq]`: position i predicts token i + 1."""
    shape = len(batch), max(len(example.tokens) for example in batch)
    tokens = torch.zeros(shape, dtype=torch.int64)
    mask = torch.zeros(shape)
    for row, example in enumerate(batch):
        tokens[row, : len(example.tokens)] = torch.tensor(example.tokens)
        mask[row, : len(example.trained)] = torch.tensor(example.trained, dtype=torch.float32)
    return tokens[:, :-1], tokens[:, 1:], mask[:, 1:]


def load(folder: Path, adapter: Path | None = None) -> nn.Module:
    """The model in float32, with a LoRA adapter to go on training where one is given."""
    model = cast(Any, AutoModelForCausalLM).from_pretrained(folder, dtype=torch.float32)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter, is_trainable=True)
    return model.eval()  # no dropout


def train(
    model: nn.Module,
    batches: Sequence[Sequence[Example]],
    learning_rate: float,
    *,
    reduction: Reduction = "token",
    grad_clip_norm: float = 1.0,
) -> Iterator[float]:
    """Take a step on each batch and give its train_mean_nll, that of the weights before the step.

    The learning rate falls linearly to zero. reduction: the loss is the mean over trained tokens, or
    the mean over examples of each one's mean. grad_clip_norm: 0 leaves the gradient as it is.
    """
    device = next(model.parameters()).device
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    adamw = torch.optim.AdamW(
        trained, lr=learning_rate, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0, fused=True
    )
    for step, batch in enumerate(batches):
        tokens, targets, mask = (part.to(device) for part in pad(batch))
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = model(input_ids=tokens, use_cache=False).logits  # [batch, seq, vocab]
        nll = F.cross_entropy(
            logits.float().flatten(0, 1), targets.flatten(), reduction="none"
        ).view_as(mask)
        weights = mask / mask.sum() if reduction == "token" else mask / mask.sum(-1, keepdim=True)
        loss = (nll * weights).sum() / weights.sum()
        loss.backward()
        if grad_clip_norm:
            nn.utils.clip_grad_norm_(trained, grad_clip_norm)
        adamw.param_groups[0]["lr"] = learning_rate * (1 - step / len(batches))
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        yield loss.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path, help="a model folder in the Hugging Face layout")
    parser.add_argument("rows", type=Path, help="a JSONL file of chats")
    parser.add_argument("--adapter", type=Path, help="a PEFT LoRA folder to start from")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--max-length", type=int, default=1024)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--reduction", choices=["token", "example"], default="token")
    parser.add_argument("--grad-clip-norm", type=float, default=1.0)
    given = parser.parse_args()

    tokenizer = AutoTokenizer.from_pretrained(given.model)
    needed = given.steps * given.batch_size
    rows = read_rows(given.rows)[:needed]
    if len(rows) < needed:
        parser.error(f"{given.rows} has {len(rows)} rows; {given.steps} steps need {needed}")
    examples = [tokenize(tokenizer, row, given.max_length) for row in rows]
    batches = [examples[i : i + given.batch_size] for i in range(0, needed, given.batch_size)]
    losses = train(
        load(given.model, given.adapter),
        batches,
        given.learning_rate,
        reduction=given.reduction,
        grad_clip_norm=given.grad_clip_norm,
    )
    for step, train_mean_nll in enumerate(losses):
        print(f"step {step}  train_mean_nll {train_mean_nll:.6f}")


if __name__ == "__main__":
    main()
