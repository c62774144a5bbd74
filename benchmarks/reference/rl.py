"""Reinforcement learning in one flat script: torch and transformers, nothing of the kitchen.

    python -m benchmarks.reference.rl MODEL_FOLDER PROBLEMS.jsonl [--steps 40]
    python -m benchmarks.reference.rl MODEL_FOLDER --rollouts ROLLOUTS.json

It reads from top to bottom: problems, rollouts, advantages, sequences, loop. The policy answers every
problem several times; what an answer is worth more than the others of its group is its advantage; the
step follows the advantages by importance sampling, PPO or CISPO. The tests hold the kitchen's steps
against it, given the same rollouts. What it leaves out, and why:

- no evaluation, no checkpoints, no KL penalty: they are what the kitchen adds;
- an answer is right if it is the expected text: a verifier is a project of its own;
- transformers' `generate` samples; it reads a prompt once for each of its answers;
- a step goes through the model whole, so memory grows with it;
- no attention mask in training: rows are padded on the right and attention is causal.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer

from benchmarks.reference.sft import load


class Turn(NamedTuple):
    """What the policy read, what it answered, and its log-probabilities of the answer's tokens."""

    prompt: list[int]
    answer: list[int]
    logprobs: list[float]


class Episode(NamedTuple):
    """The turns of one attempt at a problem, and what it was worth in all."""

    turns: list[Turn]
    reward: float


class Sequence_(NamedTuple):  # noqa: N801 - `Sequence` is Python's
    """Tokens `[seq]` and, for each, the sampler's log-probability, the advantage, and whether the policy
    said it.
    """

    tokens: list[int]
    logprobs: list[float]
    advantages: list[float]
    said: list[bool]


class Step(NamedTuple):
    """What is told of a step: the summed loss of its parts, how far the trainer is from the sampler, the
    sampler's entropy, and the trainer's log-probabilities of what was said, by sequence.
    """

    losses: list[float]
    kl_v1: float
    kl_v2: float
    entropy: float
    logprobs: list[Tensor]


Group = list[Episode]
Batch = list[Group]


def read_rollouts(path: Path) -> list[Batch]:
    """Recorded batches: lists of groups of episodes, `{"turns": [{prompt, answer, logprobs}], "reward"}`."""
    return [
        [
            [
                Episode(
                    [Turn(t["prompt"], t["answer"], t["logprobs"]) for t in e["turns"]], e["reward"]
                )
                for e in group
            ]
            for group in batch
        ]
        for batch in json.loads(path.read_text(encoding="utf-8"))
    ]


def sample(
    model: Any, tokenizer: Any, problems: Sequence[dict[str, str]], size: int, max_tokens: int
) -> Batch:
    """`size` answers to each problem, `{"question", "answer"}`, worth 1 where they are the expected one."""
    chats = [[{"role": "user", "content": problem["question"]}] for problem in problems]
    prompts = [
        tokenizer.apply_chat_template(chat, add_generation_prompt=True)["input_ids"]
        for chat in chats
    ]
    longest = max(map(len, prompts))
    padded = [[tokenizer.pad_token_id] * (longest - len(p)) + p for p in prompts]
    mask = [[0] * (longest - len(p)) + [1] * len(p) for p in prompts]
    with torch.no_grad():
        output = model.generate(
            input_ids=torch.tensor(padded),
            attention_mask=torch.tensor(mask),
            num_return_sequences=size,
            max_new_tokens=max_tokens,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            return_dict_in_generate=True,
            output_logits=True,
        )
        logprobs = torch.stack(output.logits, dim=1).log_softmax(
            -1
        )  # [problems * size, new, vocab]
    answers = output.sequences[:, longest:].tolist()
    batch: Batch = [[] for _ in problems]
    for row, answer in enumerate(answers):
        if tokenizer.eos_token_id in answer:
            answer = answer[: answer.index(tokenizer.eos_token_id) + 1]
        scored = [float(logprobs[row, at, token]) for at, token in enumerate(answer)]
        said = tokenizer.decode(answer, skip_special_tokens=True).strip()
        which = row // size
        reward = float(said == problems[which]["answer"])
        batch[which].append(Episode([Turn(prompts[which], answer, scored)], reward))
    return batch


def sequences(batch: Batch) -> list[Sequence_]:
    """The sequences to train on: those of groups whose episodes were not all worth the same (of the first
    group, where there is no other). A turn whose prompt goes on from the turn before is one with it.
    """
    mixed = [group for group in batch if len({episode.reward for episode in group}) > 1]
    found: list[Sequence_] = []
    for group in mixed or batch[:1]:
        mean = sum(episode.reward for episode in group) / len(group)
        for episode in group:
            advantage = episode.reward - mean
            current: Sequence_ | None = None
            for prompt, answer, logprobs in episode.turns:
                if current is None or prompt[: len(current.tokens)] != current.tokens:
                    current = Sequence_([], [], [], [])
                    found.append(current)
                read = prompt[len(current.tokens) :]
                current.tokens.extend(read + answer)
                current.logprobs.extend([0.0] * len(read) + logprobs)
                current.advantages.extend([0.0] * len(read) + [advantage] * len(answer))
                current.said.extend([False] * len(read) + [True] * len(answer))
    return found


def importance_sampling(logprobs: Tensor, sampled: Tensor, advantages: Tensor) -> Tensor:
    """The policy gradient where the sampler is not quite the learner; of each token, as the others."""
    return -((logprobs - sampled).exp() * advantages)


def ppo(low: float, high: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """No reward for leaving the bounds of the ratio."""

    def loss(logprobs: Tensor, sampled: Tensor, advantages: Tensor) -> Tensor:
        ratio = (logprobs - sampled).exp()
        return -torch.minimum(ratio * advantages, ratio.clamp(low, high) * advantages)

    return loss


def cispo(low: float, high: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The ratio is bounded and has no gradient, so that every token has its say."""

    def loss(logprobs: Tensor, sampled: Tensor, advantages: Tensor) -> Tensor:
        bounded = (logprobs - sampled).exp().clamp(low, high).detach()
        return -(bounded * advantages * logprobs)

    return loss


def said_logprobs(model: Any, part: Sequence[Sequence_]) -> list[Tensor]:
    """The model's log-probabilities of what the policy said, for each sequence."""
    device = next(model.parameters()).device
    tokens = torch.zeros((len(part), max(len(each.tokens) for each in part)), dtype=torch.int64)
    for row, each in enumerate(part):
        tokens[row, : len(each.tokens)] = torch.tensor(each.tokens)
    tokens = tokens.to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
    logprobs = logits.float().log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)
    return [
        logprobs[row, : len(each.tokens) - 1][torch.tensor(each.said[1:], device=device)]
        for row, each in enumerate(part)
    ]


def of_said(part: Sequence[Sequence_], field: str) -> Tensor:
    """A field of the sequences at what the policy said, end to end."""
    values = [
        value
        for each in part
        for value, said in zip(getattr(each, field), each.said, strict=True)
        if said
    ]
    return torch.tensor(values)


def train(
    model: nn.Module,
    batches: Iterable[Batch],
    learning_rate: float,
    *,
    loss: Callable[[Tensor, Tensor, Tensor], Tensor] = importance_sampling,
    substeps: int = 1,
    scale: Callable[[Sequence_, int], float] = lambda sequence, count: 1.0,
) -> Iterator[Step]:
    """Take the steps of each batch. The batches may be sampled as they are asked for.

    A batch is split into `substeps` parts, each with an optimizer step of its own. scale: what the losses
    of a sequence's tokens are multiplied by, given how many sequences its part has; they are summed.
    """
    device = next(model.parameters()).device
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    adamw = torch.optim.AdamW(
        trained, lr=learning_rate, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0, fused=True
    )
    for batch in batches:
        rows = sequences(batch)
        count = min(substeps, len(rows))
        bounds = [len(rows) * i // count for i in range(count + 1)]
        losses: list[float] = []
        found: list[Tensor] = []
        for start, end in pairwise(bounds):
            part = rows[start:end]
            logprobs = said_logprobs(model, part)
            sampled = of_said(part, "logprobs").to(device)
            advantages = of_said(part, "advantages").to(device)
            token_losses = loss(torch.cat(logprobs), sampled, advantages)
            scales = [scale(each, len(part)) for each in part for said in each.said if said]
            (token_losses * torch.tensor(scales, device=device)).sum().backward()
            adamw.step()
            adamw.zero_grad(set_to_none=True)
            losses.append(token_losses.sum().item())
            found += [each.detach() for each in logprobs]
        sampled = of_said(rows, "logprobs").to(device)
        gap = sampled - torch.cat(found)
        yield Step(
            losses,
            gap.mean().item(),
            0.5 * gap.square().mean().item(),
            -sampled.mean().item(),
            found,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path, help="a model folder in the Hugging Face layout")
    parser.add_argument(
        "problems", type=Path, nargs="?", help="a JSONL file of question and answer"
    )
    parser.add_argument("--rollouts", type=Path, help="recorded rollouts to train on instead")
    parser.add_argument("--adapter", type=Path, help="a PEFT LoRA folder to start from")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--groups", type=int, default=16)
    parser.add_argument("--group-size", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--loss", choices=["importance_sampling", "ppo", "cispo"])
    given = parser.parse_args()
    if (given.problems is None) == (given.rollouts is None):
        parser.error("give a file of problems, or --rollouts")

    torch.manual_seed(0)
    model = load(given.model, given.adapter)
    losses = {"ppo": ppo(0.8, 1.2), "cispo": cispo(0.0, 4.0)}
    if given.rollouts is not None:
        batches: Iterable[Batch] = read_rollouts(given.rollouts)
    else:
        tokenizer = AutoTokenizer.from_pretrained(given.model)
        problems = [json.loads(line) for line in given.problems.open(encoding="utf-8")]
        if len(problems) < given.groups:
            parser.error(
                f"{given.problems} has {len(problems)} problems; a step takes {given.groups}"
            )
        shuffled = [problems[i] for i in torch.randperm(len(problems)).tolist()] * given.steps
        batches = (
            sample(
                model,
                tokenizer,
                shuffled[step * given.groups : (step + 1) * given.groups],
                given.group_size,
                given.max_tokens,
            )
            for step in range(given.steps)
        )
    taken = train(
        model, batches, given.learning_rate, loss=losses.get(given.loss, importance_sampling)
    )
    for number, step in enumerate(taken):
        print(
            f"step {number}  loss {sum(step.losses):.6f}  kl_sample_train_v1 {step.kl_v1:.6f}  "
            f"entropy {step.entropy:.6f}"
        )


if __name__ == "__main__":
    main()
