"""On-policy distillation in one flat script: torch, transformers and peft, nothing of the kitchen.

    python -m benchmarks.reference.distillation STUDENT TEACHER PROMPTS.jsonl [--kl exact|sampled]
        [--adapter FOLDER] [--steps 3] [--answers RECORDED.json]

It reads from top to bottom: prompts, answers, batches, the two ways to be told by a teacher, loop. The
tests hold the kitchen's numbers against it. What it leaves out, and why:

- no evaluation, no checkpoints, no metrics but the distance: they are what the kitchen adds;
- a batch goes through both models whole, and the logits of every position are kept, the prompts' too;
- rows come in the order of the file: the caller says which prompts make which batch;
- no attention mask in training: rows are padded on the right and attention is causal, so no token sees
  the padding;
- the teacher reads what the student reads. A teacher of another template wants its own prompt.

The reverse KL is KL(student || teacher), a mean over the tokens of the answers. `exact` takes it over the
whole vocabulary at every place, and its gradient. `sampled` knows the teacher's opinion of the sampled
token alone: the gap between the two log-probabilities is the token's advantage in a policy gradient.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch
import torch.nn.functional as F  # noqa: N812 - what everyone calls it
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

Kl = Literal["exact", "sampled"]


class Answer(NamedTuple):
    """A prompt `[prompt]`, what the student answered `[answer]`, and how likely it was to, in logs."""

    prompt: list[int]
    tokens: list[int]
    logprobs: list[float]


def read_prompts(path: Path, tokenizer: Any, count: int) -> list[list[int]]:
    """The first prompts of a JSONL file of chats, `{"messages": [...]}` each, up to the last question."""
    prompts = []
    for line in path.read_text(encoding="utf-8").splitlines()[:count]:
        messages = json.loads(line)["messages"]
        while messages[-1]["role"] == "assistant":
            messages.pop()
        chat = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        prompts.append(chat["input_ids"])
    return prompts


def load(folder: Path, adapter: Path | None = None) -> nn.Module:
    """A model in float32, with a LoRA adapter to go on training where one is given."""
    model = cast(Any, AutoModelForCausalLM).from_pretrained(folder, dtype=torch.float32)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter, is_trainable=True)
    return model.eval()  # no dropout


@torch.no_grad()
def answer(model: nn.Module, tokenizer: Any, prompts: list[list[int]], most: int) -> list[Answer]:
    """Let the model answer at temperature 1, in at most so many tokens, the end-of-turn token included."""
    device = next(model.parameters()).device
    width = max(map(len, prompts))
    padding = [width - len(prompt) for prompt in prompts]  # on the left, so that all end together
    tokens = torch.tensor([[0] * n + p for n, p in zip(padding, prompts, strict=True)])
    mask = torch.tensor([[0] * n + [1] * (width - n) for n in padding])
    drawn = cast(Any, model).generate(
        input_ids=tokens.to(device),
        attention_mask=mask.to(device),
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        max_new_tokens=most,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
        return_dict_in_generate=True,
        output_logits=True,
    )
    new = drawn.sequences[:, width:]  # [batch, most]
    logprobs = torch.stack(drawn.logits, 1).float().log_softmax(-1)  # [batch, most, vocab]
    chosen = logprobs.gather(-1, new[..., None])[..., 0]
    answers = []
    for prompt, row, likely in zip(prompts, new.tolist(), chosen.tolist(), strict=True):
        ends = row.index(tokenizer.eos_token_id) + 1 if tokenizer.eos_token_id in row else len(row)
        answers.append(Answer(prompt, row[:ends], likely[:ends]))
    return answers


class Batch(NamedTuple):
    """Answers side by side, all `[batch, seq]`: position i of `tokens` predicts `targets`. mask: 1 at the
    answers' tokens. sampled: their logprobs under who sampled them.
    """

    tokens: Tensor
    targets: Tensor
    mask: Tensor
    sampled: Tensor


def pad(answers: Sequence[Answer], device: torch.device) -> Batch:
    shape = len(answers), max(len(each.prompt) + len(each.tokens) for each in answers)
    tokens = torch.zeros(shape, dtype=torch.int64)
    mask, sampled = torch.zeros(shape), torch.zeros(shape)
    for row, (prompt, said, logprobs) in enumerate(answers):
        start, end = len(prompt), len(prompt) + len(said)
        tokens[row, :end] = torch.tensor([*prompt, *said])
        mask[row, start:end] = 1
        sampled[row, start:end] = torch.tensor(logprobs)
    parts = tokens[:, :-1], tokens[:, 1:], mask[:, 1:], sampled[:, 1:]
    return Batch(*(part.to(device) for part in parts))


def logprobs_of(model: nn.Module, tokens: Tensor) -> Tensor:
    """The log-probability of every token at every place, `[batch, seq, vocab]`."""
    device = tokens.device.type
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        return model(input_ids=tokens, use_cache=False).logits.float().log_softmax(-1)


def at(logprobs: Tensor, targets: Tensor) -> Tensor:
    """The targets' own, `[batch, seq]`."""
    return logprobs.gather(-1, targets[..., None])[..., 0]


def exact(student: Tensor, teacher: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """The loss and the distance, which are the same: the mean of sum_v p (log p - log q)."""
    kl = F.kl_div(teacher, student, reduction="none", log_target=True).sum(-1)  # [batch, seq]
    distance = (kl * batch.mask).sum() / batch.mask.sum()
    return distance, distance.detach()


def sampled(
    student: Tensor, teacher: Tensor, batch: Batch, discount: float
) -> tuple[Tensor, Tensor]:
    """The loss -mean(r A) with A = log q - log p at the sampled tokens, r = p / p_sampler; and the
    distance -mean(A) at the tokens themselves.

    discount: how much of the distances to come a token answers for.
    """
    gap = (at(teacher, batch.targets) - batch.sampled) * batch.mask
    advantages = gap.clone()
    if discount:
        for i in range(gap.shape[1] - 2, -1, -1):
            advantages[:, i] += discount * advantages[:, i + 1]
    ratio = (at(student, batch.targets) - batch.sampled).exp()
    count = batch.mask.sum()
    return -(ratio * advantages * batch.mask).sum() / count, -gap.sum() / count


def train(
    student: nn.Module,
    teacher: nn.Module,
    batches: Iterable[Sequence[Answer]],
    learning_rate: float,
    *,
    steps: int,
    kl: Kl = "exact",
    discount: float = 0.0,
    lr_schedule: Literal["linear", "constant"] = "linear",
    grad_clip_norm: float = 1.0,
) -> Iterator[float]:
    """Take a step on each batch of answers and give its teacher_kl, that of the weights before the step.

    batches: each is asked for when its turn comes, so that answers can be those of the student as it is
    by then. grad_clip_norm: 0 leaves the gradient as it is.
    """
    device = next(student.parameters()).device
    trained = [parameter for parameter in student.parameters() if parameter.requires_grad]
    adamw = torch.optim.AdamW(
        trained, lr=learning_rate, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0, fused=True
    )
    for step, answers in enumerate(batches):
        batch = pad(answers, device)
        with torch.no_grad():
            opinion = logprobs_of(teacher, batch.tokens)
        own = logprobs_of(student, batch.tokens)
        if kl == "exact":
            loss, distance = exact(own, opinion, batch)
        else:
            loss, distance = sampled(own, opinion, batch, discount)
        loss.backward()
        if grad_clip_norm:
            nn.utils.clip_grad_norm_(trained, grad_clip_norm)
        factor = 1 - step / steps if lr_schedule == "linear" else 1.0
        adamw.param_groups[0]["lr"] = learning_rate * factor
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        yield distance.item()


def read_answers(path: Path) -> list[list[Answer]]:
    """Recorded batches: a JSON list of lists of `{"prompt", "tokens", "logprobs"}`."""
    recorded = json.loads(path.read_text(encoding="utf-8"))
    return [[Answer(**each) for each in batch] for batch in recorded]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("student", type=Path, help="a model folder in the Hugging Face layout")
    parser.add_argument("teacher", type=Path, help="another, with the same tokenizer")
    parser.add_argument("prompts", type=Path, help="a JSONL file of chats")
    parser.add_argument("--kl", choices=["exact", "sampled"], default="exact")
    parser.add_argument("--discount", type=float, default=0.0)
    parser.add_argument("--adapter", type=Path, help="the student's PEFT LoRA folder to start from")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--grad-clip-norm", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--answers", type=Path, help="recorded answers in place of fresh ones")
    given = parser.parse_args()

    torch.manual_seed(given.seed)
    student, teacher = load(given.student, given.adapter), load(given.teacher)
    if given.answers:
        batches: Iterable[list[Answer]] = read_answers(given.answers)[: given.steps]
    else:
        tokenizer = AutoTokenizer.from_pretrained(given.student)
        needed = given.steps * given.batch_size
        prompts = read_prompts(given.prompts, tokenizer, needed)
        if len(prompts) < needed:
            parser.error(
                f"{given.prompts} has {len(prompts)} rows; {given.steps} steps need {needed}"
            )
        starts = range(0, needed, given.batch_size)
        batches = (
            answer(student, tokenizer, prompts[i : i + given.batch_size], given.max_tokens)
            for i in starts
        )
    distances = train(
        student,
        teacher,
        batches,
        given.learning_rate,
        steps=given.steps,
        kl=given.kl,
        discount=given.discount,
        grad_clip_norm=given.grad_clip_norm,
    )
    for step, teacher_kl in enumerate(distances):
        print(f"step {step}  teacher_kl {teacher_kl:.6f}")


if __name__ == "__main__":
    main()
