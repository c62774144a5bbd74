"""What a run has logged for people to read: rows as they are trained on, and what the model does."""

from kitchen_tui.cli.views.samples.collecting import (
    KINDS,
    LOGGING,
    Sample,
    kinds_of,
    newest,
    samples_of,
)
from kitchen_tui.cli.views.samples.page import samples_page

__all__ = ["KINDS", "LOGGING", "Sample", "kinds_of", "newest", "samples_of", "samples_page"]
