"""Which weights of the model in training are sampled: the present ones, a version of them, the first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from kitchen_core.adapters.compute_thread import ComputeThread
from kitchen_core.adapters.torch_local.engine import Engine, Opened
from kitchen_core.adapters.torch_local.loading import LoadedModel, ModelView
from kitchen_core.adapters.torch_local.sampler import TorchSampler
from kitchen_core.adapters.torch_local.weights import Weights, copy_of, swapped
from kitchen_core.adapters.versions import Versions
from kitchen_core.train.ports.errors import PortError


class Samplers:
    """Samplers of one session's own model, all on its engine and its compute thread."""

    def __init__(
        self, thread: ComputeThread, loaded: LoadedModel, engine: Engine, versions: Versions
    ) -> None:
        self._thread = thread
        self._loaded = loaded
        self._engine = engine
        self._versions = versions

    def reference(self) -> TorchSampler:
        """The model as the session was started."""
        return TorchSampler(0, self._opened(lambda: self._loaded.initial()), self._thread)

    def live(self) -> TorchSampler:
        """The weights in training, until the next change of them is submitted."""
        return TorchSampler(
            self._versions.current,
            self._opened(nullcontext),
            self._thread,
            live=True,
            check_fresh=self._versions.freshness(),
        )

    def snapshot(self) -> TorchSampler:
        """Its copy is made in its turn on the compute thread: after what was submitted before, and nothing later."""
        weights: Weights = {}
        trained = self._loaded.trained
        copied = self._thread.submit("snapshot", lambda: weights.update(copy_of(trained)))

        def view() -> Iterator[None]:
            if not weights:
                raise PortError("the snapshot is closed", hint="Take a new one.")
            with swapped(trained, weights):
                yield

        return TorchSampler(
            self._versions.current,
            self._opened(contextmanager(view)),
            self._thread,
            ready=copied,
            release=weights.clear,
        )

    def free(self) -> None:
        """Drop the first weights, also for those who still hold a sampler."""
        del self._loaded

    def _opened(self, view: ModelView) -> Opened:
        @contextmanager
        def opened() -> Iterator[Engine]:
            with view():
                yield self._engine

        return opened
