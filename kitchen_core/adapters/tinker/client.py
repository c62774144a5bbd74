"""The training client: starts sessions at a Tinker service."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict

from kitchen_core.adapters.checks import Limits
from kitchen_core.adapters.tinker import bases
from kitchen_core.adapters.tinker.lora import Parts, parts_of
from kitchen_core.adapters.tinker.remote_model import Create, RemoteModel
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.adapters.tinker.session import Start, TinkerSession
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer, load_tokenizer
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.errors import InvalidRequest, PortError, Unsupported
from kitchen_core.train.remote_weights import RemoteWeights
from kitchen_core.train.types import LoraSpec, ModelSource, SessionSpec

_DAY_S = 24 * 3600


class TinkerTraining:
    """Training sessions at a Tinker service.

    base_model: what the service calls the base, where that is not its hub name. train_unembed: whether
    all-linear adapters reach the output layer. checkpoint_days: how long the service keeps states.
    """

    reads_weights = False

    def __init__(
        self,
        service: Service,
        *,
        base_model: str | None = None,
        train_unembed: bool = True,
        checkpoint_days: float = 7.0,
    ) -> None:
        if not 1 / 24 <= checkpoint_days <= 3650:
            raise InvalidRequest(
                f"checkpoint_days is {checkpoint_days:g}",
                hint="The service keeps states for an hour (1/24) to ten years (3650).",
            )
        self._service = service
        self._base_model = base_model
        self._train_unembed = train_unembed
        self._ttl_s = round(checkpoint_days * _DAY_S)

    async def start_session(self, spec: SessionSpec) -> TinkerSession:
        """Make the model at the service. Raises NotFound, InvalidRequest or Unsupported, each with a hint."""
        try:
            return await self._start(spec)
        except PortError as error:
            error.port, error.adapter = "training_client", "tinker"
            error.asked = "start_session"
            raise

    async def tokenizer(self, source: ModelSource) -> HuggingFaceTokenizer:
        """The tokenizer that a session on this model has, without asking the service."""
        return await asyncio.to_thread(_load_tokenizer, source)

    async def probe(self) -> str:
        """Look whether the service can be reached, and say how many models it has."""
        await self._service.check_reachable()
        known = await self._models()
        return f"{len(known)} models" if len(known) != 1 else f"1 model: {next(iter(known))}"

    async def close(self) -> None:
        """Finish the session at the service."""
        await self._service.close()

    async def _start(self, spec: SessionSpec) -> TinkerSession:
        if spec.lora is None:
            raise Unsupported(
                "Tinker trains adapters only, not all weights", hint="Set lora_rank, to 32 say."
            )
        parts = parts_of(spec.lora, train_unembed=self._train_unembed)
        tokenizer = await self.tokenizer(spec.model)
        base = bases.base_name(spec.model, self._base_model)
        note = await asyncio.to_thread(bases.adapter_note, spec.model)
        _check_note(spec.model, spec.lora, note, base)
        known = await self._models()
        bases.check_known(base, known)
        create = _create(base, spec, spec.lora, parts, note)
        return TinkerSession(
            Start(
                spec=spec,
                base=base,
                note=note,
                base_model=self._base_model,
                models=known,
                limits=_limits(spec.model, tokenizer, known.get(base)),
                ttl_s=self._ttl_s,
                identity=_fingerprint(base, spec, parts, note),
            ),
            self._service,
            tokenizer,
            await RemoteModel.start(self._service, create),
        )

    async def _models(self) -> Mapping[str, int | None]:
        """The service's models and the context length of each, where it says."""
        answer = await self._service.rest(
            "get_server_capabilities", lambda rest: rest.get_server_capabilities()
        )
        return {
            model.model_name: model.max_context_length
            for model in answer.supported_models
            if model.model_name
        }


def _create(
    base: str, spec: SessionSpec, lora: LoraSpec, parts: Parts, note: RemoteWeights | None
) -> Create:
    if note is not None:
        return lambda client: client.create_training_client_from_state(note.training)
    return lambda client: client.create_lora_training_client(
        base, rank=lora.rank, seed=spec.seed, **asdict(parts)
    )


def _check_note(source: ModelSource, lora: LoraSpec, note: RemoteWeights | None, base: str) -> None:
    if note is None:
        return
    bases.check_rank(source, lora)
    if note.base != base:
        raise InvalidRequest(
            f"the adapter is one of {note.base}, the model is {base}",
            hint="Give the model that the adapter was trained on.",
        )


def _limits(source: ModelSource, tokenizer: HuggingFaceTokenizer, context: int | None) -> Limits:
    """What the model can read, as the service says, else its config."""
    vocabulary = bases.config_number(source.folder, "vocab_size") or tokenizer.vocab_size
    length = context or bases.config_number(source.folder, "max_position_embeddings")
    if length is None:
        raise Unsupported(
            f"neither the service nor {source.folder / 'config.json'} says how long the context of "
            f"{source.name} is",
            hint="Put max_position_embeddings into config.json.",
        )
    return Limits(vocab_size=vocabulary, max_length=length)


def _fingerprint(base: str, spec: SessionSpec, parts: Parts, note: RemoteWeights | None) -> str:
    """Of what the session starts from, by name: the weights themselves are not here to be hashed."""
    return sha256_of_json(
        {
            "base": base,
            "adapter": asdict(note) if note else None,
            "lora": asdict(spec.lora) if spec.lora else None,
            "parts": asdict(parts),
            "seed": spec.seed,
        }
    )


def _load_tokenizer(source: ModelSource) -> HuggingFaceTokenizer:
    bases.check_base_folder(source)
    return load_tokenizer(source.folder, "tinker")
