"""Crucible Kitchen: post-training for language models on your own workstation.

The library: a recipe names a workflow, the workflow places stages, a stage asks a port, an adapter
answers, the store remembers. Importing it loads no torch.
"""

from kitchen_core.config import RunConfig, setting
from kitchen_core.recipe import Recipe

__version__ = "0.1.0"
__all__ = ["Recipe", "RunConfig", "__version__", "setting"]
