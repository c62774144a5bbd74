"""Models beside the one in training, by ref: teachers and references."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.sampling import SamplingClient
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.ports.training import TrainingClient, TrainingSession
from kitchen_core.train.tokenization import check_tokenization
from kitchen_core.train.types import Datum, ModelSource
from kitchen_core.workflow.context import StageContext

COMPARED = 200
"""Sequences of the data whose tokens by both tokenizers are compared."""


@dataclass(frozen=True)
class OtherModel:
    """A model that was found. role: what it is here, the setting that named it. fingerprint: SHA-256
    over its weights, those of an adapter's base included; over its name and commit where a service has
    the weights.
    """

    ref: str
    role: str
    source: ModelSource
    fingerprint: str

    def __str__(self) -> str:
        return f"the {self.role} {self.ref}"


async def find_model(ctx: StageContext, ref: str, role: str) -> OtherModel:
    """The model that a ref names; the stage has the port `training_client`. Raises as the resolver does."""
    client: TrainingClient = ctx.port("training_client")
    resolved = await ctx.wait(ctx.resolver.model(ref, role, weights=client.reads_weights))
    weights = [node.sha256 or node.id for node in (resolved.node, resolved.base) if node]
    return OtherModel(ref, role, resolved.source, sha256_of_json(weights))


async def load_beside(
    ctx: StageContext, model: OtherModel, texts: Iterable[str], *, otherwise: str = ""
) -> SamplingClient:
    """The model, frozen, beside that in training; the stage reads `session` and has the port
    `training_client`.

    texts: of the data, which both must tokenize alike. otherwise: what else can be done where they do
    not, in words. Raises TokenizationDiffers, and as `TrainingSession.teacher` does.
    """
    session: TrainingSession = ctx.state["session"]
    tokenizer = await tokenizer_of(ctx, model)
    check_tokenization(str(model), tokenizer, session.tokenizer, texts, otherwise=otherwise)
    return await ctx.wait(session.teacher(model.source))


async def tokenizer_of(ctx: StageContext, model: OtherModel) -> Tokenizer:
    """The model's own tokenizer, without its weights."""
    client: TrainingClient = ctx.port("training_client")
    return await ctx.wait(client.tokenizer(model.source))


def texts_of(datums: Iterable[Datum], tokenizer: Tokenizer) -> Iterable[str]:
    """What sequences say, as text."""
    return (tokenizer.decode([int(each.tokens[0]), *each.targets.tolist()]) for each in datums)
