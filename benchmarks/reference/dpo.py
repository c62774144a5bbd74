"""Direct preference optimisation in one flat script: torch, transformers and peft, nothing of the kitchen.

    python -m benchmarks.reference.dpo MODEL_FOLDER PAIRS.jsonl [--adapter FOLDER] [--steps 3]

It reads from top to bottom: rows, tokens, batches, model, loss, loop. The tests hold the kitchen's losses
against it and the benchmarks hold the kitchen's speed against it, so it is written the way one would
write it for oneself, and it is no slower than it must be. What it leaves out, and why:

- no evaluation, no checkpoints: they are what the kitchen adds;
- both sides of all pairs go through the model together, whole, so memory grows with the batch; the
  logits of every position are kept, the prompts' too;
- rows come in the order of the file: the caller says which pairs make which batch;
- no attention mask: rows are padded on the right and attention is causal, so no token sees the padding;
- the reference is the model as it was loaded. It scores all batches before the first step, so that no
  second copy of it is kept.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F  # noqa: N812 - what everyone calls it
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer


class Side(NamedTuple):
    """A prompt with one answer as tokens `[seq]`, and whether each is the answer's `[seq]`."""

    tokens: list[int]
    answer: list[bool]


class Pair(NamedTuple):
    """Two answers to one prompt."""

    chosen: Side
    rejected: Side


class Metrics(NamedTuple):
    """What a step says of the weights before it; rewards are means over the pairs."""

    dpo_loss: float
    accuracy: float
    margin: float
    chosen_reward: float
    rejected_reward: float


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file of pairs, each `{"prompt": [...], "chosen": [...], "rejected": [...]}` with
    lists of messages.
    """
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def tokenize(tokenizer: Any, row: dict[str, Any], max_length: int) -> Pair:
    """A row as tokens with the answers' marked, cut on the right.

    An answer is what the conversation with it has more than the prompt before it, up to the
    end-of-turn token.
    """
    prompt = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"]

    def side(answer: list[dict[str, Any]]) -> Side:
        tokens = tokenizer.apply_chat_template([*row["prompt"], *answer])["input_ids"]
        start, end = len(prompt), tokens.index(tokenizer.eos_token_id, len(prompt)) + 1
        marks = [start <= i < end for i in range(len(tokens))]
        return Side(tokens[:max_length], marks[:max_length])

    return Pair(side(row["chosen"]), side(row["rejected"]))


def pad(batch: Sequence[Pair]) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets and the targets' mask, each `[2 * pairs, seq]`, all chosen sides first: position i
    predicts token i + 1.
    """
    sides = [pair.chosen for pair in batch] + [pair.rejected for pair in batch]
    shape = len(sides), max(len(side.tokens) for side in sides)
    tokens = torch.zeros(shape, dtype=torch.int64)
    mask = torch.zeros(shape)
    for row, side in enumerate(sides):
        tokens[row, : len(side.tokens)] = torch.tensor(side.tokens)
        mask[row, : len(side.answer)] = torch.tensor(side.answer, dtype=torch.float32)
    return tokens[:, :-1], tokens[:, 1:], mask[:, 1:]


def load(folder: Path, adapter: Path | None = None) -> nn.Module:
    """The model in float32, with a LoRA adapter to go on training where one is given."""
    model = cast(Any, AutoModelForCausalLM).from_pretrained(folder, dtype=torch.float32)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter, is_trainable=True)
    return model.eval()  # no dropout


def answer_logprobs(model: nn.Module, batch: Sequence[Pair]) -> tuple[Tensor, Tensor]:
    """The summed logprob of each chosen and of each rejected answer, both `[pairs]`."""
    device = next(model.parameters()).device
    tokens, targets, mask = (part.to(device) for part in pad(batch))
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        logits = model(input_ids=tokens, use_cache=False).logits  # [2 * pairs, seq, vocab]
    nll = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none")
    chosen, rejected = (-nll.view_as(mask) * mask).sum(-1).chunk(2)
    return chosen, rejected


def train(
    model: nn.Module,
    batches: Sequence[Sequence[Pair]],
    learning_rate: float,
    *,
    beta: float = 0.1,
    grad_clip_norm: float = 1.0,
) -> Iterator[Metrics]:
    """Take a step on each batch and give its metrics.

    The loss is the mean over pairs of -log sigmoid(beta * (chosen log-ratio - rejected log-ratio)), a
    log-ratio being an answer's logprob less the reference's. The learning rate falls linearly to zero.
    grad_clip_norm: 0 leaves the gradient as it is.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    adamw = torch.optim.AdamW(
        trained, lr=learning_rate, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0, fused=True
    )
    with torch.no_grad():
        reference = [answer_logprobs(model, batch) for batch in batches]
    for step, (batch, (ref_chosen, ref_rejected)) in enumerate(
        zip(batches, reference, strict=True)
    ):
        chosen, rejected = answer_logprobs(model, batch)
        chosen_reward = beta * (chosen - ref_chosen)
        rejected_reward = beta * (rejected - ref_rejected)
        loss = -F.logsigmoid(chosen_reward - rejected_reward).mean()
        loss.backward()
        if grad_clip_norm:
            nn.utils.clip_grad_norm_(trained, grad_clip_norm)
        adamw.param_groups[0]["lr"] = learning_rate * (1 - step / len(batches))
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        yield Metrics(
            dpo_loss=loss.item(),
            accuracy=(chosen_reward > rejected_reward).float().mean().item(),
            margin=(chosen_reward - rejected_reward).mean().item(),
            chosen_reward=chosen_reward.mean().item(),
            rejected_reward=rejected_reward.mean().item(),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path, help="a model folder in the Hugging Face layout")
    parser.add_argument("rows", type=Path, help="a JSONL file of pairs")
    parser.add_argument("--adapter", type=Path, help="a PEFT LoRA folder to start from")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=8, help="in pairs")
    parser.add_argument("--max-length", type=int, default=1024)
    parser.add_argument("--learning-rate", type=float, default=1e-5)
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--grad-clip-norm", type=float, default=1.0)
    given = parser.parse_args()

    tokenizer = AutoTokenizer.from_pretrained(given.model)
    needed = given.steps * given.batch_size
    rows = read_rows(given.rows)[:needed]
    if len(rows) < needed:
        parser.error(f"{given.rows} has {len(rows)} rows; {given.steps} steps need {needed}")
    pairs = [tokenize(tokenizer, row, given.max_length) for row in rows]
    batches = [pairs[i : i + given.batch_size] for i in range(0, needed, given.batch_size)]
    steps = train(
        load(given.model, given.adapter),
        batches,
        given.learning_rate,
        beta=given.beta,
        grad_clip_norm=given.grad_clip_norm,
    )
    for step, metrics in enumerate(steps):
        told = "  ".join(f"{name} {value:.6f}" for name, value in metrics._asdict().items())
        print(f"step {step}  {told}")


if __name__ == "__main__":
    main()
