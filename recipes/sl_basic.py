"""Supervised learning at its plainest: demonstrations in, a model that answers like them out.

The bare defaults teach the embedded tiny model to answer sums in chat form, from demonstrations
that are sloppy on purpose, so that later recipes have something to repair. `gpu` is a small real
model on one workstation GPU; `paper` carries the numbers of tinker-cookbook's sl_basic.
"""

from kitchen_core import Recipe
from kitchen_core.workflows import SupervisedConfig, supervised

recipe = Recipe(
    name="sl_basic",
    description="Learn from chat demonstrations by cross entropy on the assistant's tokens",
    workflow=supervised,
    config=SupervisedConfig(
        model="builtin:tiny",
        dataset="builtin:arithmetic",
        num_epochs=10,
        max_steps=300,
        batch_size=32,
        max_length=512,
        learning_rate=3e-3,
        warmup_steps=20,
        save_every=50,
        eval_every=50,
        eval_examples=500,
        eval_samples=500,
        sampling_batch_size=500,
        max_tokens=8,
    ),
    presets={
        "gpu": {
            "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
            "lora_rank": 32,
            "learning_rate": None,
            "num_epochs": 1,
            "max_steps": None,
            "batch_size": 32,
            "micro_batch_tokens": 8192,
            "max_length": 2048,
            "eval_examples": 100,
            "eval_samples": 16,
            "sampling_batch_size": 64,
            "max_tokens": 128,
        },
        "paper": {
            "model": "Qwen/Qwen3.5-9B-Base",
            "dataset": "HuggingFaceH4/no_robots",
            "lora_rank": 32,
            "learning_rate": 2e-4,
            "num_epochs": 1,
            "max_steps": None,
            "batch_size": 128,
            "micro_batch_tokens": 32768,
            "gradient_checkpointing": True,
            "max_length": 32768,
            "warmup_steps": 0,
            "grad_clip_norm": 0.0,
            "reduction": "example",
            "save_every": 20,
            "eval_every": 8,
            "eval_examples": 100,
            "eval_samples": 16,
            "sampling_batch_size": 16,
            "max_tokens": 512,
        },
    },
)
