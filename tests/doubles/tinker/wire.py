"""What the SDK sends and wants, in our words and back.

Protobuf messages: `tinker/proto/tinker_public_pb2.pyi`. Losses and their inputs: Tinker's have no
weights but cross-entropy's, so a policy loss counts every position once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from tinker.proto import tinker_public_pb2 as pb

from kitchen_core.train.types import (
    AdamParams,
    Datum,
    FloatArray,
    LossName,
    LossSpec,
    Sample,
    SamplingParams,
    TopLogprobs,
)
from tests.doubles.tinker.refused import Refused

DTYPES = {pb.DTYPE_FLOAT32: np.float32, pb.DTYPE_INT64: np.int64}
STOPS = {"stop": pb.STOP_REASON_STOP, "length": pb.STOP_REASON_LENGTH}
NOTHING = -99999.0
"""A logprob in a cell of the likeliest tokens that holds none."""
NO_TOKEN = -1

POLICY_INPUTS = {"target_tokens", "logprobs", "advantages"}
INPUTS = {
    "cross_entropy": {"target_tokens", "weights"},
    "importance_sampling": POLICY_INPUTS,
    "ppo": POLICY_INPUTS,
    "cispo": POLICY_INPUTS,
    "dro": POLICY_INPUTS,
    "gspo": POLICY_INPUTS | {"sequence_ratio_mask"},
}
OPTIONS = {"clip_low_threshold": "clip_low", "clip_high_threshold": "clip_high", "beta": "beta"}
DEFAULTS = {
    "ppo": {"clip_low": 0.8, "clip_high": 1.2},
    "cispo": {"clip_low": 0.0, "clip_high": 4.0},
}
"""The bounds of the hosted service where a request names none."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A forward or a forward and backward pass, as it was asked for."""

    model_id: str
    seq_id: int
    datums: list[Datum]
    loss: LossSpec
    forward_only: bool


def read_pass(body: bytes) -> Pass:
    """A pass from its protobuf message. Raises Refused where it can't be run."""
    sent = pb.ForwardBackwardRequest()
    sent.ParseFromString(body)
    if sent.loss_fn not in INPUTS:
        raise Refused(400, f"loss_fn {sent.loss_fn!r} is not one of {sorted(INPUTS)}")
    if not sent.data:
        raise Refused(400, "data is empty")
    datums = [_read_datum(sent.loss_fn, datum) for datum in sent.data]
    loss = LossSpec(cast("LossName", sent.loss_fn), _read_options(sent))
    return Pass(sent.model_id, sent.seq_id, datums, loss, sent.forward_only)


def read_order(body: bytes) -> tuple[str, int]:
    """Which model a pass is for, and which of its requests it is."""
    sent = pb.ForwardBackwardRequest()
    sent.ParseFromString(body)
    return sent.model_id, sent.seq_id


def _read_options(sent: pb.ForwardBackwardRequest) -> dict[str, float]:
    options = dict(DEFAULTS.get(sent.loss_fn, {}))
    for name, value in sent.loss_fn_config_v2.items():
        if name not in OPTIONS:
            raise Refused(400, f"loss_fn_config has no {name!r}")
        options[OPTIONS[name]] = value.number
    return options


def _read_datum(loss: str, sent: pb.Datum) -> Datum:
    unknown = set(sent.loss_fn_inputs) - INPUTS[loss]
    if unknown:
        raise Refused(400, f"{loss} reads no {sorted(unknown)}")
    tokens = [np.frombuffer(chunk.encoded_text.tokens, np.int32) for chunk in sent.model_input]
    inputs = {name: _read_tensor(tensor) for name, tensor in sent.loss_fn_inputs.items()}
    targets = inputs.pop("target_tokens")
    counts = inputs.pop("weights", None)
    if counts is None:
        counts = inputs.pop("sequence_ratio_mask", np.ones(targets.shape, np.float32))
    return Datum(np.concatenate(tokens).astype(np.int64), targets, counts, inputs)


def _read_tensor(sent: pb.Tensor) -> np.ndarray:
    dtype = DTYPES[sent.dtype]
    if not sent.HasField("sparse_csr"):
        dense = np.frombuffer(sent.dense, dtype)
        return dense.reshape(tuple(sent.shape)) if sent.shape else dense
    values = np.frombuffer(sent.sparse_csr.values, dtype)
    starts = np.frombuffer(sent.sparse_csr.crow_indices, np.int64)
    columns = np.frombuffer(sent.sparse_csr.col_indices, np.int64)
    whole = np.zeros(tuple(sent.shape), dtype)
    whole[np.repeat(np.arange(len(starts) - 1), np.diff(starts)), columns] = values
    return whole


def write_pass(logprobs: Sequence[FloatArray], loss: float) -> bytes:
    """The result of a pass. Every metric's name ends in how chunks of one call are put together."""
    record = pb.ArrayRecord(num_datums=len(logprobs))
    rows = [np.ascontiguousarray(row, np.float32) for row in logprobs]
    batched = record.fields["logprobs"]
    batched.dtype = pb.DTYPE_FLOAT32
    batched.data = b"".join(row.tobytes() for row in rows)
    batched.offsets = np.cumsum([0, *(row.nbytes for row in rows)]).astype(np.int64).tobytes()
    batched.trailing_shape.extend(rows[0].shape[1:])
    sent = pb.ForwardBackwardOutput(loss_fn_output_type="ArrayRecord", loss_fn_outputs=[record])
    sent.metrics["loss:sum"] = loss
    return sent.SerializeToString()


def read_adam(sent: Mapping[str, float]) -> AdamParams:
    """AdamW's settings, which have the same names."""
    return AdamParams(**sent)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be sampled. last_scored: how many tokens at the prompt's end are scored, 0 for none;
    top: how many of the likeliest tokens are told in each one's place.
    """

    prompt: list[int]
    params: SamplingParams
    count: int
    last_scored: int
    top: int


def read_asked(sent: Mapping[str, Any], context: int) -> Asked:
    """A sample request, for a model that reads so many tokens. Raises Refused where it can't be met."""
    for unspoken in ("topk_sample_logprobs", "target_prompt_logprobs", "prompt_alt_tokens_k"):
        if sent.get(unspoken):
            raise Refused(400, f"{unspoken} is not spoken here")
    prompt = _read_prompt(sent["prompt"])
    if not prompt:
        raise Refused(400, "the prompt is empty")
    params = _read_sampling(sent["sampling_params"], context - len(prompt), sent.get("seq_id") or 0)
    scored = 0
    if sent.get("prompt_logprobs"):
        scored = sent.get("prompt_logprobs_last_n") or len(prompt)
    return Asked(
        prompt,
        params,
        count=sent.get("num_samples", 1),
        last_scored=scored,
        top=sent.get("topk_prompt_logprobs", 0),
    )


def _read_prompt(sent: Mapping[str, Any]) -> list[int]:
    if any(chunk["type"] != "encoded_text" for chunk in sent["chunks"]):
        raise Refused(400, "only text is read here")
    return [token for chunk in sent["chunks"] for token in chunk["tokens"]]


def _read_sampling(sent: Mapping[str, Any], room: int, seed: int) -> SamplingParams:
    """room: tokens left in the context; seed: where the request names none. Without `stop` the
    tokenizer's end ends a completion, with an empty list nothing does.
    """
    limit = sent.get("max_tokens") or room
    if limit > room:
        raise Refused(400, f"max_tokens is {limit}, the prompt leaves {room} tokens of the context")
    stop = sent.get("stop")
    texts = [stop] if isinstance(stop, str) else [s for s in stop or () if isinstance(s, str)]
    tokens = [s for s in stop or () if isinstance(s, int)]
    return SamplingParams(
        max_tokens=limit,
        temperature=sent.get("temperature", 1.0),
        top_k=sent.get("top_k", -1),
        top_p=sent.get("top_p", 1.0),
        seed=seed if sent.get("seed") is None else sent["seed"],
        stop=(NO_TOKEN,) if stop == [] else tuple(tokens),
        stop_texts=tuple(texts),
    )


def write_samples(
    samples: Sequence[Sample], logprobs: FloatArray | None, top: TopLogprobs | None
) -> bytes:
    """Completions of one prompt, and where asked for what the model makes of the prompt itself: the
    logprob of each of its tokens (NaN for the first) and the likeliest in its place.
    """
    sent = pb.SampleResponse()
    for sample in samples:
        sent.sequences.add(
            stop_reason=STOPS[sample.stop_reason],
            tokens=np.asarray(sample.tokens, np.int32).tobytes(),
            logprobs=np.asarray(sample.logprobs, np.float32).tobytes(),
        )
    if logprobs is not None:
        sent.prompt_logprobs = logprobs.astype(np.float32).tobytes()
    if top is not None:
        length, k = top.tokens.shape
        sent.topk_prompt_logprobs.length, sent.topk_prompt_logprobs.k = length + 1, k
        ids, values = np.zeros((1, k), np.int32), np.full((1, k), NOTHING, np.float32)
        ids = np.concatenate([ids, top.tokens.astype(np.int32)])
        values = np.concatenate([values, top.logprobs.astype(np.float32)])
        sent.topk_prompt_logprobs.token_ids = ids.tobytes()
        sent.topk_prompt_logprobs.logprobs = values.tobytes()
    return sent.SerializeToString()
