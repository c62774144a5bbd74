"""Distillation: the student answers, the teacher says what it would have said, token by token.

The bare defaults let the model that sl_basic makes learn from the one that math_rl makes of it: on its
own answers, by the exact reverse KL over the whole vocabulary, it comes to answer as its teacher does in
a small part of the time. `gpu` is a small real model on one workstation GPU, taught by a larger one;
`paper` carries the numbers of tinker-cookbook's on-policy distillation.
"""

from kitchen_core import Recipe
from kitchen_core.workflows import DistillationConfig, distillation

recipe = Recipe(
    name="distillation",
    description="Learn from a better model how it would answer in one's place",
    workflow=distillation,
    config=DistillationConfig(
        model="builtin:tiny-sl",
        teacher="builtin:tiny-rl",
        dataset="builtin:prompts",
        num_epochs=2,
        max_steps=40,
        groups_per_batch=64,
        max_length=64,
        max_tokens=8,
        learning_rate=6e-4,
        save_every=10,
        eval_every=10,
        eval_examples=500,
        eval_samples=500,
        sampling_batch_size=500,
    ),
    presets={
        "gpu": {
            "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
            "teacher": "HuggingFaceTB/SmolLM2-1.7B-Instruct",
            "dataset": "openai/gsm8k#main",
            "lora_rank": 32,
            "learning_rate": None,
            "max_steps": 200,
            "groups_per_batch": 64,
            "max_length": 512,
            "max_tokens": 256,
            "warmup_steps": 10,
            "micro_batch_tokens": 8192,
            "save_every": 50,
            "eval_every": 50,
            "eval_examples": 200,
            "eval_samples": 64,
            "sampling_batch_size": 64,
        },
        "paper": {
            "model": "Qwen/Qwen3.5-9B-Base",
            "teacher": "Qwen/Qwen3.5-9B",
            "dataset": "zwhe99/DeepMath-103K",
            "fields": {"answer": "final_answer"},
            "lora_rank": 128,
            "learning_rate": 1e-4,
            "lr_schedule": "constant",
            "num_epochs": 1,
            "max_steps": None,
            "groups_per_batch": 1024,
            "group_size": 4,
            "max_length": 4096,
            "max_tokens": 4096,
            "kl": "sampled",
            "grad_clip_norm": 0.0,
            "micro_batch_tokens": 16384,
            "gradient_checkpointing": True,
            "save_every": 20,
            "eval_every": 20,
            "eval_examples": 100,
            "eval_samples": 16,
            "sampling_batch_size": 64,
        },
    },
)
