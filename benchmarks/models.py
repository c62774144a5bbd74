"""Model folders as a benchmark wants them: of random weights in any shape, and one that answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import cast

import torch
from tokenizers import Tokenizer, models
from transformers import (
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    logging,
)

from benchmarks.reference import sft
from kitchen_core import builtin


def make_llama(
    folder: Path,
    *,
    vocabulary: int,
    hidden: int = 128,
    layers: int = 2,
    heads: int = 4,
    kv_heads: int = 2,
    mlp: int = 384,
) -> LlamaConfig:
    """A Llama with tied embeddings. Its tokenizer knows one word: benchmarks give it tokens."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=mlp,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
    )
    logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({"<eos>": 0}, unk_token="<eos>"))
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<eos>").save_pretrained(folder)
    return config


def make_answering(folder: Path, steps: int = 100) -> None:
    """The embedded model after so many steps on `builtin:chat`: it answers and ends, but is not sure."""
    torch.set_num_threads(1)
    source = builtin.model_folder("tiny")
    shutil.copytree(source, folder, dirs_exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(source)
    rows = builtin.dataset_rows("chat", "train")[: 32 * steps]
    examples = [sft.tokenize(tokenizer, row, max_length=1024) for row in rows]
    batches = [examples[i : i + 32] for i in range(0, len(examples), 32)]
    model = sft.load(source)
    for _ in sft.train(model, batches, learning_rate=1e-3):
        pass
    cast("PreTrainedModel", model).save_pretrained(folder)


def vocabulary_of(folder: Path) -> int:
    """How many tokens a model folder's model knows."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return int(config["vocab_size"])
