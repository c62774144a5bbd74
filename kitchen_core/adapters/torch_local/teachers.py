"""Other models beside the one in training: frozen, each loaded once."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from kitchen_core.adapters.compute_thread import ComputeThread
from kitchen_core.adapters.teaching import in_training, not_at_hand
from kitchen_core.adapters.torch_local.engine import Engine, Opened
from kitchen_core.adapters.torch_local.loading import LoadedModel, load_frozen
from kitchen_core.adapters.torch_local.parts import Parts
from kitchen_core.adapters.torch_local.quiet import quiet
from kitchen_core.adapters.torch_local.sampler import TorchSampler
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.train.ports.errors import PortError, Unsupported
from kitchen_core.train.ports.sampling import SamplingClient
from kitchen_core.train.types import ModelSource, SessionSpec


@dataclass(frozen=True)
class Teachers:
    """The teachers of one session, on its device and its compute thread."""

    spec: SessionSpec
    thread: ComputeThread
    student: Parts
    tokenizer: HuggingFaceTokenizer
    _samplers: dict[ModelSource, TorchSampler] = field(default_factory=dict)

    def sampler(self, source: ModelSource) -> TorchSampler:
        """The source's sampler, to be called on the compute thread: the same one until it is closed.

        Raises InvalidRequest or Unsupported where the model can't be loaded or can't teach this one.
        """
        if source not in self._samplers:
            self._samplers[source] = self._load(source)
        return self._samplers[source]

    def opened(self, teacher: SamplingClient) -> Opened:
        """A teacher's model, where its logits are at hand and it is not the one in training."""
        if not isinstance(teacher, TorchSampler) or teacher.thread is not self.thread:
            raise not_at_hand()
        if teacher.live:
            raise in_training()
        return teacher.opened

    def free(self) -> None:
        """Give back the memory of all of them, also where somebody still holds a sampler."""
        for sampler in list(self._samplers.values()):
            sampler.release()

    def _load(self, source: ModelSource) -> TorchSampler:
        with quiet():
            tokenizer = HuggingFaceTokenizer(source.folder)
            loaded = load_frozen(source, self.student.device)
        self._check_vocabulary(source, loaded, tokenizer)
        kept = [Engine.of(loaded, tokenizer, self.spec)]

        def opened() -> AbstractContextManager[Engine]:
            if not kept:
                raise PortError("the teacher is closed", hint="Ask the session for it again.")
            return nullcontext(kept[0])

        def release() -> None:
            if kept:
                kept.clear()
                del self._samplers[source]

        return TorchSampler(0, opened, self.thread, release=release)

    def _check_vocabulary(
        self, source: ModelSource, teacher: LoadedModel, tokenizer: HuggingFaceTokenizer
    ) -> None:
        """Both models need a logit for every token that either tokenizer knows.

        Models of one family may pad their vocabularies to different sizes; what lies beyond the tokens
        is never said. That both spell texts alike is for the caller to see.
        """
        ours, theirs = self.student.vocab_size, teacher.parts.vocab_size
        tokens = max(self.tokenizer.vocab_size, tokenizer.vocab_size)
        if ours != theirs and tokens > min(ours, theirs):
            raise Unsupported(
                f"the vocabulary of {source.name} has {theirs} tokens, that of "
                f"{self.spec.model.name} in training {ours}",
                hint="Choose a teacher of the same family, or let it sample and train on its texts.",
            )
