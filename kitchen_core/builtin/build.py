"""Build `builtin:tiny` from nothing: `python -m kitchen_core.builtin.build OUT [--seed N]`.

Writes the folder OUT in the Hugging Face layout and prints the SHA-256 of each file. Takes two to
three minutes of one CPU core. The same seed gives the same bytes on the same kind of CPU; another
kind may round differently, which is why the weights are shipped with their hashes. How quickly the
sums are learnt differs much between seeds; the default one ended best of the few that were tried.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random

import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from kitchen_core.builtin import base_text, file_hashes
from kitchen_core.builtin.base_text import Piece
from kitchen_core.builtin.tokenizer import BEGIN, CONTEXT_TOKENS, END, PAD, build_tokenizer

SEED = 2
STEPS = 7500
PLAIN_STEPS = 2000
"""The first steps see plain sums alone, which is what makes the sums learnable at all quickly."""
LINES_PER_STEP = 32
WARM_UP_STEPS = 50
LEARNING_RATE = 4e-3
FINAL_SHARE_OF_LEARNING_RATE = 0.1
Batch = tuple[torch.Tensor, torch.Tensor]
"""Token ids and, for each token, its weight in the loss; both (lines, longest line)."""


def main() -> None:
    """Read the command line, build, print the hashes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    build(arguments.out, arguments.seed)
    print(json.dumps({arguments.out.name: file_hashes(arguments.out)}, indent=2))


def build(out: Path, seed: int = SEED) -> None:
    """Train the tokenizer and the model and write both to the folder `out`."""
    torch.set_num_threads(1)
    rng = Random(f"builtin:tiny/{seed}")
    tokenizer = build_tokenizer(_sample_of_text(rng))
    torch.manual_seed(seed)
    model = _untrained(tokenizer)
    _train(model, _batches(tokenizer, rng))
    model.generation_config.max_new_tokens = 16
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def _sample_of_text(rng: Random) -> list[str]:
    forms = (base_text.plain, base_text.worksheet, base_text.long_worksheet)
    lines = (forms[index % len(forms)](rng) for index in range(6000))
    return ["".join(text for text, _ in line) for line in lines]


def _untrained(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    ids = tokenizer.get_vocab()
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=96,
            intermediate_size=288,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=CONTEXT_TOKENS,
            tie_word_embeddings=True,
            bos_token_id=ids[BEGIN],
            eos_token_id=ids[END],
            pad_token_id=ids[PAD],
        )
    )


def _batches(tokenizer: PreTrainedTokenizerFast, rng: Random) -> Iterator[Batch]:
    """One batch a step, its lines all of one form and so of about one length."""

    @cache
    def encode(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    for step in range(STEPS):
        form = base_text.plain
        if step >= PLAIN_STEPS:
            draw = rng.random()
            if draw < 0.25:
                form = base_text.long_worksheet
            elif draw < 0.7:
                form = base_text.worksheet
        lines = [form(rng) for _ in range(LINES_PER_STEP)]
        begin = tokenizer.get_vocab()[BEGIN]
        yield _padded([_weighted(line, encode, begin) for line in lines])


def _weighted(
    line: list[Piece], encode: Callable[[str], list[int]], begin: int
) -> list[tuple[int, float]]:
    pairs = [(begin, 0.0)]
    for text, is_answer in line:
        pairs += [(token, float(is_answer)) for token in encode(text)]
    return pairs


def _padded(lines: list[list[tuple[int, float]]]) -> Batch:
    longest = max(map(len, lines))
    filled = torch.tensor([line + [(0, 0.0)] * (longest - len(line)) for line in lines])
    return filled[..., 0].long(), filled[..., 1]


def _train(model: LlamaForCausalLM, batches: Iterator[Batch]) -> None:
    optimizer = torch.optim.AdamW(
        model.parameters(),
        betas=(0.9, 0.95),
        weight_decay=0.0,
    )
    for step, (tokens, weights) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(step)
        loss = _loss(model, tokens, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % 500 == 0:
            print(
                f"step {step + 1} of {STEPS}: loss {loss.item():.3f}", file=sys.stderr, flush=True
            )


def _loss(model: LlamaForCausalLM, tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    logits = model(input_ids=tokens).logits[:, :-1]
    losses = functional.cross_entropy(logits.transpose(1, 2), tokens[:, 1:], reduction="none")
    return (losses * weights[:, 1:]).sum() / weights[:, 1:].sum()


def _learning_rate(step: int) -> float:
    """Linear up over the warm-up, then linear down to a tenth."""
    down = 1 - (1 - FINAL_SHARE_OF_LEARNING_RATE) * step / STEPS
    return LEARNING_RATE * min(1.0, (step + 1) / WARM_UP_STEPS) * down


if __name__ == "__main__":
    main()
