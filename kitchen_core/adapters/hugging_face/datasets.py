"""The dataset hub port: a repository's files are fetched first, then read from the local folder by
the rules of the `datasets` library.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitchen_core.adapters.hugging_face.failures import translated
from kitchen_core.adapters.hugging_face.repositories import Download, Repositories
from kitchen_core.adapters.plain import plain_row
from kitchen_core.train.ports.errors import InvalidRequest, NotFound
from kitchen_core.train.ports.hub import HubDataset
from kitchen_core.train.types import Row

if TYPE_CHECKING:
    from datasets import IterableDataset

_CARD = "README.md"
_NEVER = ("*.py", ".gitattributes", ".gitignore")


class HuggingFaceDatasets(Repositories):
    """Fetches datasets."""

    kind = "dataset"
    port = "dataset_hub"

    async def fetch_dataset(
        self, repo: str, revision: str | None = None, subset: str | None = None
    ) -> HubDataset:
        """Bring a dataset's files here, whole, and open its splits.

        A commit that is here already needs no network. Raises NotFound, AuthError, GatedError,
        Unavailable or InvalidRequest.
        """
        fetched = await self._fetched(repo, revision, subset)
        with translated(self.port, f"read {repo}", self._token_env):
            splits = await asyncio.to_thread(_open_splits, fetched.folder, repo, subset)
        return HubDataset(splits, fetched.commit)

    def _wanted(self, names: list[str], download: Download) -> list[str]:
        if _script(download.repo) in names:
            raise InvalidRequest(
                f"{download.repo} needs its own code ({_script(download.repo)}), which is never run here",
                hint=f"Try its converted files: hf:{download.repo}@refs/convert/parquet",
            )
        data = [name for name in names if not any(fnmatch(name, never) for never in _NEVER)]
        if _CARD not in data:
            return data
        data.remove(_CARD)
        patterns = _keep_subset(download.one(_CARD), download.repo, download.part)
        return [name for name in data if patterns is None or _is_matched(name, patterns)]


def _script(repo: str) -> str:
    """The file that a dataset with code of its own keeps it in."""
    return f"{repo.partition('/')[2]}.py"


def _keep_subset(path: Path, repo: str, subset: str | None) -> list[str] | None:
    """Reduce the card to one subset, since the files of the others are not fetched; returns the
    glob patterns of its files, or None where the card lists none.

    Raises InvalidRequest naming the subsets where one has to be chosen.
    """
    from datasets.data_files import sanitize_patterns
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    card: Any = DatasetCard.load(path)
    configs = MetadataConfigs.from_dataset_card_data(card.data)
    if not configs:
        return None
    chosen = subset or configs.get_default_config_name()
    if chosen is None or chosen not in configs:
        raise _no_such_subset(repo, subset, list(configs))
    files = configs[chosen].get("data_files")
    if files is None:
        return None
    card.data.configs = [each for each in card.data.configs if each["config_name"] == chosen]
    card.save(path)
    return [pattern for patterns in sanitize_patterns(files).values() for pattern in patterns]


def _is_matched(name: str, patterns: list[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _open_splits(folder: Path, repo: str, subset: str | None) -> dict[str, Iterable[Row]]:
    """Each split's rows by name. Raises NotFound or InvalidRequest."""
    from datasets import load_dataset
    from datasets.exceptions import DataFilesNotFoundError

    try:
        found = load_dataset(
            str(folder), name=subset, streaming=True, cache_dir=str(folder.parent / ".datasets")
        )
    except DataFilesNotFoundError as error:
        hint = "Check the name; it may be a model, or data in a form that is not read."
        raise NotFound(f"{repo} has no data files", hint=hint) from error
    except ValueError as error:  # how the library says that there is no such configuration
        if "Config" not in str(error):
            raise InvalidRequest(_first_line(error), hint="Fetch it, and give a file.") from error
        raise _no_such_subset(repo, subset, _listed(error)) from error
    return {str(name): _SplitRows(rows, f"{repo} {name}") for name, rows in found.items()}


@dataclass(frozen=True)
class _SplitRows(Iterable[Row]):
    """A split's rows, read from its files anew at every pass."""

    dataset: IterableDataset
    name: str

    def __iter__(self) -> Iterator[Row]:
        number = 0
        rows = iter(_with_media_as_bytes(self.dataset))
        while True:
            number += 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except Exception as error:  # whatever the file formats' own libraries raise
                raise InvalidRequest(
                    f"{self.name} row {number}: can't be read: {_first_line(error)}",
                    port="dataset_hub",
                    adapter="hugging_face",
                    hint="Tell the dataset's maintainers, or choose another revision.",
                ) from error
            yield plain_row(row)


def _with_media_as_bytes(dataset: IterableDataset) -> IterableDataset:
    """The same rows with pictures, sound and films as they are in the file."""
    from datasets import Features

    if dataset.features is None:
        return dataset
    features = Features({name: _undecoded(each) for name, each in dataset.features.items()})
    return dataset if features == dataset.features else dataset.cast(features)


def _undecoded(feature: Any) -> Any:
    from datasets import Audio, Image, List, Video

    if isinstance(feature, Audio | Image | Video):
        return replace(feature, decode=False)
    if isinstance(feature, List):
        return replace(feature, feature=_undecoded(feature.feature))
    if isinstance(feature, dict):
        return {name: _undecoded(each) for name, each in feature.items()}
    return feature


def _no_such_subset(repo: str, subset: str | None, names: list[str]) -> InvalidRequest:
    listed = ", ".join(sorted(names)) or "none"
    said = f"has no subset '{subset}'; it has" if subset else "has several subsets:"
    return InvalidRequest(f"{repo} {said} {listed}", hint=f"Write hf:{repo}#SUBSET.")


def _listed(error: ValueError) -> list[str]:
    """The names in `['a', 'b']` at the end of the library's message."""
    _, _, names = str(error).partition("[")
    return [name.strip(" '\"") for name in names.partition("]")[0].split(",") if name.strip()]


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0]
