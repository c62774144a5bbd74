"""Direct preference optimisation: of two answers learn the better one.

The bare defaults repair what sl_basic's sloppy demonstrations taught the embedded tiny model, by
pairs of a correct boxed sum and one that is wrong or lacks its box. `gpu` is a small real model on one
workstation GPU; `paper` carries the numbers of tinker-cookbook's DPO recipe.
"""

from kitchen_core import Recipe
from kitchen_core.workflows import PreferenceConfig, preference

recipe = Recipe(
    name="dpo",
    description="Learn from pairs of answers of which one is preferred, held to the model as it was",
    workflow=preference,
    config=PreferenceConfig(
        model="builtin:tiny-sl",
        dataset="builtin:preferences",
        num_epochs=1,
        max_steps=40,
        batch_size=32,
        max_length=512,
        learning_rate=2e-4,
        dpo_beta=0.1,
        save_every=10,
        eval_every=10,
        eval_examples=500,
        eval_samples=500,
        sampling_batch_size=500,
        max_tokens=8,
    ),
    presets={
        "gpu": {
            "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
            "dataset": "HuggingFaceH4/ultrafeedback_binarized",
            "lora_rank": 32,
            "learning_rate": 5e-5,
            "max_steps": 500,
            "micro_batch_tokens": 8192,
            "max_length": 2048,
            "warmup_steps": 20,
            "save_every": 100,
            "eval_every": 50,
            "eval_examples": 200,
            "eval_samples": 16,
            "sampling_batch_size": 64,
            "max_tokens": 256,
        },
        "paper": {
            "model": "Qwen/Qwen3.5-9B-Base",
            "dataset": "Anthropic/hh-rlhf",
            "lora_rank": 32,
            "learning_rate": 1e-5,
            "max_steps": None,
            "batch_size": 256,
            "micro_batch_tokens": 8192,
            "gradient_checkpointing": True,
            "max_length": 8192,
            "grad_clip_norm": 0.0,
            "save_every": 20,
            "eval_every": 10,
            "eval_examples": 200,
            "eval_samples": 16,
            "sampling_batch_size": 16,
            "max_tokens": 512,
        },
    },
)
