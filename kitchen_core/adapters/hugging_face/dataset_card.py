"""What a dataset's card says of its subsets: which there are, and of which files each is made."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from kitchen_core.train.ports.errors import InvalidRequest

CARD = "README.md"


def files_of_subset(card: Path, repo: str, subset: str | None, names: list[str]) -> list[str]:
    """Those of a repository's files that a subset is made of; all where the card does not say.

    Raises InvalidRequest naming the subsets where one has to be chosen.
    """
    chosen = _chosen(_configs(card), repo, subset)
    patterns = None if chosen is None else _patterns(chosen[1])
    if patterns is None:
        return names
    return [name for name in names if any(fnmatch(name, pattern) for pattern in patterns)]


def keep_subset(card: Path, repo: str, subset: str | None) -> None:
    """Reduce a card to one subset, since the files of the others are not here."""
    from huggingface_hub import DatasetCard

    chosen = _chosen(_configs(card), repo, subset)
    if chosen is None or _patterns(chosen[1]) is None:
        return
    loaded: Any = DatasetCard.load(card)
    kept = [each for each in loaded.data.configs if each["config_name"] == chosen[0]]
    loaded.data.configs = kept
    loaded.save(card)


def no_such_subset(repo: str, subset: str | None, names: list[str]) -> InvalidRequest:
    """The refusal that names the subsets that there are."""
    listed = ", ".join(sorted(names)) or "none"
    said = f"has no subset '{subset}'; it has" if subset else "has several subsets:"
    return InvalidRequest(f"{repo} {said} {listed}", hint=f"Write hf:{repo}#SUBSET.")


def _configs(card: Path) -> Any:
    """`{subset: what the card says of it}`, as the `datasets` library reads it."""
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    loaded: Any = DatasetCard.load(card)
    return MetadataConfigs.from_dataset_card_data(loaded.data)


def _chosen(configs: Any, repo: str, subset: str | None) -> tuple[str, Mapping[str, Any]] | None:
    """The subset's name and what the card says of it; None where it tells of no subsets."""
    if not configs:
        return None
    name = subset or configs.get_default_config_name()
    if name is None or name not in configs:
        raise no_such_subset(repo, subset, list(configs))
    return name, configs[name]


def _patterns(config: Mapping[str, Any]) -> list[str] | None:
    """The glob patterns of a subset's files, None where the card leaves them to be found."""
    from datasets.data_files import sanitize_patterns

    folder = str(config.get("data_dir") or "").strip("/")
    files = config.get("data_files")
    if files is None:
        return [f"{folder}/*"] if folder else None
    found = [pattern for patterns in sanitize_patterns(files).values() for pattern in patterns]
    return [f"{folder}/{pattern}" for pattern in found] if folder else found
