"""Full training of a 0.5B-shaped model on one GPU: tokens/s and MFU, held against a kept baseline.

A part of `python -m benchmarks.supervised`. The model has the shape of Qwen2.5-0.5B (494M weights,
24 layers of 896, a vocabulary of 151,936) and random weights; steps take 4 sequences of 2,048
tokens, all trained, in bfloat16 autocast. A baseline is a file per kind of GPU in
`benchmarks/baselines`, written by `--keep-baseline` and meant to be committed; a later run that
falls further behind it than its tolerance fails.

MFU is the arithmetic that the kitchen counts for its steps (PaLM's count) over what the GPU can do at
best in that time.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch

from benchmarks.contestants.jobs import Example, SupervisedJob
from benchmarks.models import make_llama
from benchmarks.race import race
from kitchen_core.adapters.torch_local.device import peak_flops

BASELINES = Path(__file__).parent / "baselines"
TOLERANCE = 0.05
CONTEXT, BATCH, ROUNDS, STEPS, WARM_UP = 2048, 4, 5, 5, 5
VOCABULARY, HIDDEN, LAYERS, HEADS, KV_HEADS, MLP = 151_936, 896, 24, 14, 2, 4864


class Outcome(NamedTuple):
    """What there is to say, and whether it is slower than the baseline allows."""

    line: str
    fell_behind: bool = False


class Figures(NamedTuple):
    """Of one run. mfu: nothing for a GPU whose peak is not known here."""

    tokens_per_s: float
    mfu: float | None


def measure(*, keep: bool) -> Outcome:
    """Train on this machine's GPU, and compare or keep the figures. Without a GPU, say so."""
    if not torch.cuda.is_available():
        return Outcome("The GPU's figures are left out: this machine has no usable GPU.")
    device = torch.cuda.get_device_name()
    figures = _trained(device)
    path = BASELINES / f"supervised_{re.sub('[^a-z0-9]+', '_', device.lower())}.json"
    if keep:
        return Outcome(f"{_told(device, figures)}; kept in {_keep(path, device, figures)}")
    if not path.is_file():
        return Outcome(f"{_told(device, figures)}; no baseline is kept for it (--keep-baseline)")
    return compare(device, figures, json.loads(path.read_text(encoding="utf-8")))


def compare(device: str, figures: Figures, baseline: dict[str, Any]) -> Outcome:
    """The run's figures beside the kept ones; it falls behind where one is less by more than the
    tolerance. An MFU that one of the two lacks is left out.
    """
    kept = Figures(baseline["tokens_per_s"], baseline["mfu"])
    ratios = [figures.tokens_per_s / kept.tokens_per_s]
    if figures.mfu is not None and kept.mfu is not None:
        ratios.append(figures.mfu / kept.mfu)
    behind = min(ratios) < 1 - baseline["tolerance"]
    verdict = "BEHIND" if behind else "within tolerance of"
    beside = ", ".join(f"{each:.2f}" for each in ratios)
    return Outcome(
        f"{_told(device, figures)}; {verdict} the baseline: {_said(kept)} ({beside})", behind
    )


def _trained(device: str) -> Figures:
    every = Example(list(range(CONTEXT + 1)), [True] * (CONTEXT + 1))
    with tempfile.TemporaryDirectory() as folder:
        make_llama(
            Path(folder),
            vocabulary=VOCABULARY,
            hidden=HIDDEN,
            layers=LAYERS,
            heads=HEADS,
            kv_heads=KV_HEADS,
            mlp=MLP,
        )
        job = SupervisedJob(model=folder, examples=[every] * BATCH, batch_size=BATCH, device="cuda")
        command = {"kitchen": (sys.executable, "kitchen")}
        turns = race(job, command, rounds=ROUNDS, steps=STEPS, warm_up=WARM_UP)["kitchen"]
    peak = peak_flops(device)
    mfu = median(turn.flops / turn.seconds for turn in turns) / peak if peak else None
    return Figures(median(turn.tokens_per_s for turn in turns), mfu)


def _keep(path: Path, device: str, figures: Figures) -> Path:
    path.parent.mkdir(exist_ok=True)
    kept = {"device": device, "torch": torch.__version__, "tolerance": TOLERANCE}
    path.write_text(json.dumps(kept | figures._asdict(), indent=2) + "\n", encoding="utf-8")
    return path


def _told(device: str, figures: Figures) -> str:
    return f"{device}: {_said(figures)} (0.5B at {CONTEXT:,} tokens)"


def _said(figures: Figures) -> str:
    share = "MFU unknown" if figures.mfu is None else f"{figures.mfu:.1%} MFU"
    return f"{figures.tokens_per_s:,.0f} tokens/s, {share}"
