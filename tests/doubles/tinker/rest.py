"""What can be asked about what is kept: runs, checkpoints, sessions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from tests.doubles.tinker.checkpoints import Checkpoint
from tests.doubles.tinker.refused import Refused
from tests.doubles.tinker.world import World

Ask = Callable[[World, Request], Awaitable[Response]]
ONE = "/training_runs/{run}/checkpoints/{kind}/{name}"


async def capabilities(world: World, request: Request) -> Response:
    """The base models."""
    models = [
        {
            "model_name": name,
            "max_context_length": context,
            "trainable": True,
            "sampleable": True,
        }
        for name, context in world.contexts.items()
    ]
    return JSONResponse({"supported_models": models})


async def session(world: World, request: Request) -> Response:
    """What a session has made."""
    found = world.session(request.path_params["session"])
    told = {"training_run_ids": found.models, "sampler_ids": found.samplers}
    return JSONResponse({**told, "user_metadata": found.user_metadata})


async def finish(world: World, request: Request) -> Response:
    """The end of a session."""
    await world.finish(request.path_params["session"])
    return JSONResponse({})


async def sampler(world: World, request: Request) -> Response:
    """What a sampling session samples from."""
    found = world.sampling_session(request.path_params["sampler"])
    told = {"sampler_id": found.id, "base_model": found.base_model}
    return JSONResponse({**told, "model_path": found.model_path})


async def runs(world: World, request: Request) -> Response:
    """All training runs."""
    return JSONResponse(_page(request, "training_runs", [_run(world, run) for run in world.runs]))


async def run(world: World, request: Request) -> Response:
    """One training run."""
    name = request.path_params["run"]
    if name not in world.runs:
        raise Refused(404, f"there is no training run {name}")
    return JSONResponse(_run(world, name))


async def checkpoints_of(world: World, request: Request) -> Response:
    """A run's checkpoints."""
    found = world.checkpoints.list(request.path_params["run"])
    return JSONResponse({"checkpoints": [checkpoint.to_json() for checkpoint in found]})


async def checkpoints(world: World, request: Request) -> Response:
    """All checkpoints."""
    found = [checkpoint.to_json() for checkpoint in world.checkpoints.list()]
    return JSONResponse(_page(request, "checkpoints", found))


async def delete(world: World, request: Request) -> Response:
    """A checkpoint is not needed any more."""
    world.checkpoints.delete(_checkpoint(world, request).path)
    return Response(status_code=204)


async def set_ttl(world: World, request: Request) -> Response:
    """When a checkpoint expires."""
    path = _checkpoint(world, request).path
    world.checkpoints.set_ttl(path, (await request.json()).get("ttl_seconds"))
    return Response(status_code=204)


async def publish(world: World, request: Request) -> Response:
    """Whether everybody may load a checkpoint: POST for yes, DELETE for no."""
    _checkpoint(world, request).public = request.method == "POST"
    return Response(status_code=204)


async def urls(world: World, request: Request) -> Response:
    """Where an external checkpoint's files are."""
    found = _checkpoint(world, request)
    if found.type != "external":
        raise Refused(400, f"{found.path} is not external")
    base = str(request.url).partition("/api/")[0]
    names = sorted(p.relative_to(found.adapter) for p in found.adapter.rglob("*") if p.is_file())
    where = {str(name): f"{base}/files/{found.folder.name}/{name}" for name in names}
    expires = world.checkpoints.now + timedelta(hours=1)
    return JSONResponse({"urls": where, "expires": expires.isoformat()})


async def file(world: World, request: Request) -> Response:
    """One file of an external checkpoint."""
    folder, name = request.path_params["folder"], request.path_params["name"]
    path = world.checkpoints.folder / folder / "adapter" / name
    if not path.is_file():
        raise Refused(404, f"there is no file {name}")
    return FileResponse(path)


def _checkpoint(world: World, request: Request) -> Checkpoint:
    at = request.path_params
    return world.checkpoints.find(f"tinker://{at['run']}/{at['kind']}/{at['name']}")


def _run(world: World, name: str) -> dict[str, Any]:
    recipe, kept = world.runs[name], world.checkpoints.list(name)
    return {
        "training_run_id": name,
        "base_model": recipe.base_model,
        "model_owner": "me",
        "is_lora": True,
        "lora_rank": recipe.rank,
        "last_request_time": world.checkpoints.now.isoformat(),
        "last_checkpoint": _latest(kept, "training"),
        "last_sampler_checkpoint": _latest(kept, "sampler"),
    }


def _latest(kept: list[Checkpoint], kind: str) -> dict[str, Any] | None:
    of_kind = [checkpoint for checkpoint in kept if checkpoint.type == kind]
    return of_kind[-1].to_json() if of_kind else None


def _page(request: Request, name: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    offset = int(request.query_params.get("offset", 0))
    limit = int(request.query_params.get("limit", 100))
    cursor = {"offset": offset, "limit": limit, "total_count": len(found)}
    return {name: found[offset : offset + limit], "cursor": cursor}


ASKED: list[tuple[str, str, Ask]] = [
    ("GET", "/get_server_capabilities", capabilities),
    ("GET", "/sessions/{session}", session),
    ("POST", "/sessions/{session}/finish", finish),
    ("GET", "/samplers/{sampler}", sampler),
    ("GET", "/training_runs", runs),
    ("GET", "/training_runs/{run}", run),
    ("GET", "/training_runs/{run}/checkpoints", checkpoints_of),
    ("GET", "/checkpoints", checkpoints),
    ("DELETE", ONE, delete),
    ("PUT", ONE + "/ttl", set_ttl),
    ("POST", ONE + "/publish", publish),
    ("DELETE", ONE + "/publish", publish),
    ("GET", ONE + "/external_weights_urls", urls),
]
