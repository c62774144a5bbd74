"""transformers and PEFT without progress bars and chatter: a worker's output is for the user's own lines."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils import logging as transformers_logging


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what the libraries say to their own developers; failures still raise."""
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        # Adapters of tied weights: they are untied where that matters, when one is merged.
        warnings.filterwarnings("ignore", message=r"(?s).*tie_word_embeddings")
        yield
