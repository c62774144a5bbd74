"""The trained adapter as files: the weights where the service hands them out, and where it keeps them."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kitchen_core.adapters.checks import make_empty_folder
from kitchen_core.adapters.tinker import beyond_sdk
from kitchen_core.adapters.tinker.lora import ALPHA
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.adapters.tokenizer_files import copy_tokenizer_files
from kitchen_core.train.ports.errors import PortError
from kitchen_core.train.remote_weights import RemoteWeights
from kitchen_core.train.types import ModelSource

_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"

Files = Mapping[str, bytes]


async def adapter_from_archive(service: Service, sampler: str) -> Files | None:
    """The PEFT adapter behind a sampler's path, where the server has archives."""
    packed = await beyond_sdk.archive(service, sampler)
    return None if packed is None else await asyncio.to_thread(_unpacked, packed)


async def adapter_from_urls(service: Service, path: str) -> Files | None:
    """The PEFT adapter that the service wrote for others to load."""
    answer = await service.rest("export", lambda rest: rest.get_external_weights_urls(path))
    found = {Path(name).name: url for name, url in answer.urls.items()}
    if not {_CONFIG, _WEIGHTS} <= found.keys():
        return None
    return {name: await beyond_sdk.download(found[name]) for name in (_CONFIG, _WEIGHTS)}


def write_adapter(
    folder: Path, source: ModelSource, rank: int, note: RemoteWeights, files: Files | None
) -> None:
    """Write an adapter folder: PEFT's files as far as they are here, the note, and the tokenizer.

    Without weights the config alone says what it is; the note says where they are.
    """
    make_empty_folder(folder)
    config = _config(source, rank, files)
    (folder / _CONFIG).write_text(
        json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    if files is not None:
        (folder / _WEIGHTS).write_bytes(files[_WEIGHTS])
    note.write(folder)
    copy_tokenizer_files(source.folder, folder)


def _config(source: ModelSource, rank: int, files: Files | None) -> dict[str, Any]:
    made: dict[str, Any] = {"peft_type": "LORA", "r": rank, "lora_alpha": ALPHA}
    if files is not None:
        made = json.loads(files[_CONFIG])
        if not made.get("target_modules"):  # SkyRL leaves them out, and PEFT adapts nothing then
            made["target_modules"] = _adapted_modules(files[_WEIGHTS])
        made["lora_alpha"] = int(made["lora_alpha"])
    # the server names a folder of its own, which means nothing here
    return made | {
        "base_model_name_or_path": source.name,
        "inference_mode": True,
        "task_type": "CAUSAL_LM",
    }


def _adapted_modules(weights: bytes) -> list[str]:
    """The last parts of the names of the modules that a safetensors file has LoRA weights of."""
    length = int.from_bytes(weights[:8], "little")
    names = json.loads(weights[8 : 8 + length])
    return sorted({n.partition(".lora_")[0].rpartition(".")[2] for n in names if ".lora_" in n})


def _unpacked(packed: bytes) -> Files | None:
    """An adapter's two files out of a tar; anything else in it is left there, so it can't go astray."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            for member in tar:
                name = Path(member.name).name
                content = tar.extractfile(member) if member.isfile() else None
                if content is not None and name in (_CONFIG, _WEIGHTS):
                    files[name] = content.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise PortError(
            f"the archive of the adapter can't be read: {error}", hint="Resume the run."
        ) from error
    return files if files.keys() == {_CONFIG, _WEIGHTS} else None
