"""The errors that speak to the user: their message says all of it, so no traceback goes with it."""

from __future__ import annotations

from kitchen_core.adapters.choices import ManifestError
from kitchen_core.config import ConfigError
from kitchen_core.recipe import RecipeError
from kitchen_core.refs import RefError
from kitchen_core.store.errors import StoreError
from kitchen_core.train.ports.errors import PortError
from kitchen_core.train.renderers import RenderError
from kitchen_core.train.schemas import RowError
from kitchen_core.train.tokenization import TokenizationDiffers
from kitchen_core.workflow.checkpoint import ResumeError

EXPECTED = (
    ConfigError,
    ManifestError,
    PortError,
    RecipeError,
    RefError,
    RenderError,
    ResumeError,
    RowError,
    StoreError,
    TokenizationDiffers,
)
