"""Supervised learning on conversations of several turns, every answer in them trained.

The bare defaults teach the embedded tiny model to answer a follow-up question that only the
conversation explains. `gpu` is a small real model on one workstation GPU; `paper` carries the
numbers of tinker-cookbook's chat_sl.
"""

from kitchen_core import Recipe
from kitchen_core.workflows import SupervisedConfig, supervised

recipe = Recipe(
    name="chat_sl",
    description="Learn from conversations of several turns, every answer trained",
    workflow=supervised,
    config=SupervisedConfig(
        model="builtin:tiny",
        dataset="builtin:chat",
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
            "dataset": "HuggingFaceH4/no_robots",
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
            "max_tokens": 256,
        },
        "paper": {
            "model": "Qwen/Qwen3.5-9B",
            "dataset": "HuggingFaceH4/no_robots",
            "lora_rank": 32,
            "learning_rate": 1e-4,
            "num_epochs": 1,
            "max_steps": None,
            "batch_size": 256,
            "micro_batch_tokens": 16384,
            "gradient_checkpointing": True,
            "max_length": 16384,
            "warmup_steps": 0,
            "grad_clip_norm": 0.0,
            "reduction": "example",
            "save_every": 20,
            "eval_every": 20,
            "eval_examples": 100,
            "eval_samples": 16,
            "sampling_batch_size": 16,
            "max_tokens": 512,
        },
    },
)
