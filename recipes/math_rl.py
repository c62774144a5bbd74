"""Reinforcement learning on problems with a right answer.

The bare defaults let the model that sl_basic makes answer sums: it was taught from sloppy demonstrations,
and learns from nothing but right and wrong to answer as well as it can. `gpu` is GSM8K with a small real
model on one workstation GPU; `paper` carries the numbers of tinker-cookbook's math_rl.
"""

from kitchen_core import Recipe
from kitchen_core.workflows import ReinforcementConfig, reinforcement

recipe = Recipe(
    name="math_rl",
    description="Learn to solve problems from whether the answers are right",
    workflow=reinforcement,
    config=ReinforcementConfig(
        model="builtin:tiny-sl",
        dataset="builtin:math",
        env="math",
        max_steps=40,
        groups_per_batch=16,
        group_size=8,
        max_length=64,
        max_tokens=8,
        learning_rate=3e-4,
        lr_schedule="constant",
        warmup_steps=10,
        grad_clip_norm=0.0,
        save_every=10,
        eval_every=10,
        eval_samples=500,
        sampling_batch_size=500,
    ),
    presets={
        "gpu": {
            "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
            "dataset": "openai/gsm8k#main",
            "env": "gsm8k",
            "lora_rank": 32,
            "learning_rate": 4e-5,
            "max_steps": 200,
            "groups_per_batch": 32,
            "max_length": 768,
            "max_tokens": 400,
            "micro_batch_tokens": 16384,
            "save_every": 20,
            "eval_every": 20,
            "eval_samples": 200,
            "sampling_batch_size": 256,
        },
        "paper": {
            "model": "meta-llama/Llama-3.1-8B-Instruct",
            "dataset": "builtin:math",
            "lora_rank": 32,
            "learning_rate": 1e-5,
            "warmup_steps": 0,
        },
    },
)
