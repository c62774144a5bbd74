"""A Tinker service on loopback, in front of a training backend of ours.

It speaks the protocol of the `tinker` SDK 0.38 as that package's own source lays it down: requests in
the order of their sequence ids, promises that are polled for, protobuf where the SDK wants it,
checkpoints that expire. What Tinker has and this has not is refused: images, custom losses run by the
server, `target_prompt_logprobs`, `stable_reinforce` (its formula is not public).
"""

from tests.doubles.tinker.faults import Gate
from tests.doubles.tinker.server import KEY, TinkerDouble, serve_tinker

__all__ = ["KEY", "Gate", "TinkerDouble", "serve_tinker"]
