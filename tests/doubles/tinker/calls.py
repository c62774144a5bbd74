"""Requests of training and sampling: each from what was sent to what is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request

from tests.doubles.tinker import wire
from tests.doubles.tinker.checkpoints import Recipe
from tests.doubles.tinker.faults import Faults
from tests.doubles.tinker.jobs import Answer
from tests.doubles.tinker.models import Model
from tests.doubles.tinker.refused import Refused
from tests.doubles.tinker.world import World

Sent = dict[str, Any]
Call = Callable[[World, Sent], Awaitable[Answer]]


async def create_session(world: World, sent: Sent) -> Answer:
    """A session, in which everything else is made."""
    session = world.start_session(sent.get("user_metadata"))
    return {"type": "create_session", "session_id": session.id}


async def session_heartbeat(world: World, sent: Sent) -> Answer:
    """Whether the session is there."""
    world.session(sent["session_id"])
    return {"type": "session_heartbeat"}


async def create_model(world: World, sent: Sent) -> Answer:
    """A model with a fresh adapter."""
    world.base(sent["base_model"])
    lora = {name: value for name, value in sent["lora_config"].items() if value is not None}
    recipe = Recipe(sent["base_model"], **lora)
    model = world.add_model(sent["session_id"], sent["model_seq_id"], recipe)
    start = lambda: world.start_fresh(recipe)  # noqa: E731
    return model.promise(0, "create_model", lambda: model.make("create_model", start))


async def load_weights(world: World, sent: Sent) -> Answer:
    """A model that goes on from a training checkpoint."""
    if "session_id" not in sent:
        raise Refused(400, "weights are loaded in making a model, not into one")
    checkpoint = world.checkpoints.find(sent["path"])
    if checkpoint.type != "training":
        raise Refused(400, f"{checkpoint.path} holds no training state")
    model = world.add_model(sent["session_id"], sent["model_seq_id"], checkpoint.recipe)
    start = lambda: world.start_from(checkpoint, optimizer=sent["optimizer"])  # noqa: E731
    return model.promise(0, "load_weights", lambda: model.make("load_weights", start))


async def unload_model(world: World, sent: Sent) -> Answer:
    """A model is not needed any more. The SDK has no method for it, yet some servers have the route."""
    await world.unload(sent["model_id"])
    return {"type": "unload_model", "model_id": sent["model_id"]}


async def get_info(world: World, sent: Sent) -> Answer:
    """What a model is made from."""
    model = world.model(sent["model_id"])
    base = model.recipe.base_model
    return {
        "type": "get_info",
        "model_id": model.id,
        "model_name": base,
        "model_data": {"model_name": base, "tokenizer_id": base},
        "is_lora": True,
        "lora_rank": model.recipe.rank,
    }


async def forward_backward(world: World, body: bytes) -> Answer:
    """A pass, of protobuf."""
    asked = wire.read_pass(body)
    model = world.model(asked.model_id)
    kind = "forward" if asked.forward_only else "forward_backward"
    return model.promise(asked.seq_id, kind, lambda: model.run_pass(asked))


async def optim_step(world: World, sent: Sent) -> Answer:
    """An optimizer step."""
    model = world.model(sent["model_id"])
    if "adam_params" not in sent:
        raise Refused(400, "adamw is the only optimizer here")
    return model.promise(sent["seq_id"], "optim_step", lambda: model.step(sent["adam_params"]))


async def save_weights(world: World, sent: Sent) -> Answer:
    """A training checkpoint."""
    return _save(world, sent, world.model(sent["model_id"]), "save_weights")


async def save_weights_external(world: World, sent: Sent) -> Answer:
    """A checkpoint in the form that others load."""
    return _save(world, sent, world.model(sent["model_id"]), "save_weights_external")


def _save(world: World, sent: Sent, model: Model, kind: str) -> Answer:
    if world.promises.get(f"{model.id}:{sent['seq_id']}") is not None:  # sent twice: saved once
        return {"request_id": f"{model.id}:{sent['seq_id']}", "model_id": model.id}
    of = "training" if kind == "save_weights" else "external"
    checkpoint = world.checkpoints.reserve(model.id, of, model.recipe, sent)
    work = lambda: model.save(checkpoint, world.checkpoints)  # noqa: E731
    return model.promise(sent["seq_id"], kind, work)


async def save_weights_for_sampler(world: World, sent: Sent) -> Answer:
    """Weights to sample from: by a path where a name is given, else by a sampling session."""
    model = world.model(sent["model_id"])
    session_id = model.id.partition(":")[0]

    def sampling(**source: Any) -> Answer:
        number = sent["sampling_session_seq_id"]
        made = world.add_sampling(session_id, number, model.recipe.base_model, **source)
        return {"type": "save_weights_for_sampler", "sampling_session_id": made.id}

    async def work() -> Answer:
        if sent.get("kind") == "inflight":
            return sampling(inflight=lambda: model.session.sampler("live"))
        checkpoint = world.checkpoints.reserve(model.id, "sampler", model.recipe, sent)
        saved = await model.save_sampler(checkpoint, world.checkpoints, world.samplers)
        return saved if sent.get("path") else sampling(model_path=checkpoint.path)

    return model.promise(sent["seq_id"], "save_weights_for_sampler", work)


async def create_sampling_session(world: World, sent: Sent) -> Answer:
    """Where to sample from: saved weights, or a base model."""
    path, base = sent.get("model_path"), sent.get("base_model")
    if path:
        checkpoint = world.checkpoints.find(path)
        if checkpoint.type != "sampler":
            raise Refused(400, f"{path} can't be sampled from: it is no sampler's weights")
        base = checkpoint.recipe.base_model
    if not base:
        raise Refused(400, "neither model_path nor base_model was given")
    world.base(base)
    number = sent["sampling_session_seq_id"]
    made = world.add_sampling(sent["session_id"], number, base, model_path=path)
    return {"type": "create_sampling_session", "sampling_session_id": made.id}


async def asample(world: World, sent: Sent) -> Answer:
    """Completions of a prompt."""
    session = world.sampling_session(sent["sampling_session_id"])
    asked = wire.read_asked(sent, world.contexts[session.base_model])
    request_id = f"{session.id}:{sent['seq_id']}"
    if world.promises.get(request_id) is None:
        work = lambda: world.samplers.sample(session, asked)  # noqa: E731
        world.begin(world.promises.make(request_id, "asample", work)())
    names = [f"{request_id}:{index}" for index in range(asked.count)]
    return {"request_id": request_id, "sample_sequence_ids": names}


async def weights_info(world: World, sent: Sent) -> Answer:
    """What a checkpoint's model is made from."""
    recipe = world.checkpoints.find(sent["tinker_path"]).recipe
    return {
        "base_model": recipe.base_model,
        "is_lora": True,
        "lora_rank": recipe.rank,
        "train_attn": recipe.train_attn,
        "train_mlp": recipe.train_mlp,
        "train_unembed": recipe.train_unembed,
    }


async def retrieve(
    world: World, faults: Faults, request: Request, *, poll_s: float, lost_status: int
) -> Answer:
    """What was promised, once it is there; 408 where it is not there yet. Raises Refused."""
    request_id = (await request.json())["request_id"]
    promised = world.promises.get(request_id)
    if promised is not None:
        await asyncio.wait({promised}, timeout=poll_s)
    if promised is None or promised.cancelled():
        raise Refused(lost_status, f"nothing is known of request {request_id}")
    if not promised.done():
        state, reason = faults.pause_state or ("active", None)
        raise NotYet(request_id, state, reason)
    return promised.result()


class NotYet(Refused):
    """Ask again: `told` says why."""

    def __init__(self, request_id: str, state: str, reason: str | None) -> None:
        super().__init__(408, "not yet")
        self.told = {"type": "try_again", "request_id": request_id, "queue_state": state}
        if reason:
            self.told["queue_state_reason"] = reason


CALLS: dict[str, Call] = {
    call.__name__: call
    for call in (
        create_session,
        session_heartbeat,
        create_model,
        load_weights,
        unload_model,
        get_info,
        optim_step,
        save_weights,
        save_weights_external,
        save_weights_for_sampler,
        create_sampling_session,
        asample,
        weights_info,
    )
}
"""Requests by the end of their path, all of JSON; `forward_backward` is protobuf."""
