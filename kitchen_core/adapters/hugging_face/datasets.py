"""The dataset hub port: a repository's files are fetched first, those of one subset where it has
several, then read row by row from the local folder by the rules of the `datasets` library. A pass over
the rows takes as much memory as one batch of them, however many there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitchen_core.adapters.hugging_face.dataset_card import (
    CARD,
    files_of_subset,
    keep_subset,
    no_such_subset,
)
from kitchen_core.adapters.hugging_face.download import Download
from kitchen_core.adapters.hugging_face.failures import first_line, translated
from kitchen_core.adapters.hugging_face.repositories import Repositories, Wish
from kitchen_core.adapters.plain import plain_row
from kitchen_core.train.ports.errors import InvalidRequest, NotFound
from kitchen_core.train.ports.hub import HubDataset
from kitchen_core.train.types import Row

if TYPE_CHECKING:
    from datasets import IterableDataset

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
        ref = f"hf:{repo}@COMMIT#{subset}" if subset else f"hf:{repo}@COMMIT"
        fetched = await self._fetched(Wish(repo, revision, subset, ref))
        with translated(self._asking(f"read {repo}", repo)):
            splits = await asyncio.to_thread(_open_splits, fetched.folder, repo, subset)
        return HubDataset(splits, fetched.commit)

    def _wanted(self, names: list[str], download: Download) -> list[str]:
        if _script(download.repo) in names:
            raise InvalidRequest(
                f"{download.repo} needs its own code ({_script(download.repo)}), which is never run here",
                hint=f"Try its converted files: hf:{download.repo}@refs/convert/parquet",
            )
        data = [name for name in names if not any(fnmatch(name, never) for never in _NEVER)]
        if CARD not in data:
            return data
        data.remove(CARD)
        card = download.one(CARD)
        return [CARD, *files_of_subset(card, download.repo, download.part, data)]

    def _complete(self, download: Download) -> None:
        if CARD in download.listed:
            keep_subset(download.folder / CARD, download.repo, download.part)


def _script(repo: str) -> str:
    """The file that a dataset with code of its own keeps it in."""
    return f"{repo.partition('/')[2]}.py"


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
            raise InvalidRequest(first_line(error), hint="Fetch it, and give a file.") from error
        raise no_such_subset(repo, subset, _listed(error)) from error
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
                    f"{self.name} row {number}: can't be read: {first_line(error)}",
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


def _listed(error: ValueError) -> list[str]:
    """The names in `['a', 'b']` at the end of the library's message."""
    _, _, names = str(error).partition("[")
    return [name.strip(" '\"") for name in names.partition("]")[0].split(",") if name.strip()]
