"""The embedded default: tiny models and small data, so that nothing need be downloaded.

Importing this package imports neither torch nor transformers; `build` (the script that made the
base model; `build_sl` made the others from it) and `tokenizer` do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from kitchen_core.train.naming import closest

MODELS: tuple[str, ...] = ("tiny", "tiny-sl", "tiny-rl")
"""Names of the embedded models: `builtin:tiny` knows sums but not how to chat, `builtin:tiny-sl` (after
the recipe sl_basic) answers them in chat form, sloppily, and `builtin:tiny-rl` (after math_rl) well.
"""

_DATASET_MODULES = {
    "arithmetic": "arithmetic",
    "chat": "chat",
    "preferences": "preferences",
    "math": "math_problems",
    "prompts": "prompts",
}
DATASETS: tuple[str, ...] = tuple(_DATASET_MODULES)
"""Names of the embedded data sets: `builtin:arithmetic` and so on."""

_MODELS_FOLDER = Path(__file__).parent / "models"
_HASHES_FILE = Path(__file__).parent / "hashes.json"


def model_folder(name: str) -> Path:
    """The folder of an embedded model, in the Hugging Face layout (weights, tokenizer, template).

    `name` is with or without `builtin:`. Raises ValueError for a name that is not in `MODELS`.
    """
    return _MODELS_FOLDER / _known(name, MODELS, "model")


def verify_model(name: str) -> None:
    """Check every file of an embedded model against its recorded SHA-256 (a few milliseconds).

    Raises ValueError naming the files that are missing, changed or not recorded.
    """
    folder = model_folder(name)
    recorded: dict[str, str] = json.loads(_HASHES_FILE.read_text(encoding="utf-8"))[folder.name]
    found = file_hashes(folder)
    differing = sorted(
        file for file in recorded.keys() | found if recorded.get(file) != found.get(file)
    )
    if differing:
        raise ValueError(
            f"builtin:{folder.name} in {folder} is not what was shipped: "
            f"{', '.join(differing)} missing, changed or added; install the package again"
        )


def file_hashes(folder: Path) -> dict[str, str]:
    """`{file name: SHA-256 in hex}` of every file directly in a folder, sorted by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def dataset_rows(name: str, split: Literal["train", "test"], seed: int = 0) -> list[dict[str, Any]]:
    """All rows of one split of an embedded data set, in random order; new objects at every call.

    `name` is with or without `builtin:`. The seed moves the order and the random choices within
    rows; which problems are in which split never changes. Same arguments, same rows, everywhere.
    The shape of a row is described in the data set's own module. Raises ValueError for a name
    that is not in `DATASETS` or a split that is neither "train" nor "test".
    """
    module = import_module(f"{__name__}.{_DATASET_MODULES[_known(name, DATASETS, 'data set')]}")
    if split not in ("train", "test"):
        raise ValueError(f"the embedded data has the splits train and test, not {split!r}")
    rows: Callable[[Literal["train", "test"], int], list[dict[str, Any]]] = module.rows
    return rows(split, seed)


def _known(name: str, names: tuple[str, ...], kind: str) -> str:
    bare = name.removeprefix("builtin:")
    if bare in names:
        return bare
    near = closest(bare, names)
    raise ValueError(
        f"there is no embedded {kind} {name!r}; there is "
        + ", ".join(f"builtin:{known}" for known in names)
        + (f" (did you mean builtin:{near}?)" if near else "")
    )
