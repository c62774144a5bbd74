"""What a run is expected to take, before it runs."""

from __future__ import annotations

from kitchen_tui.cli.arguments import AsJson
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.launch_words import RecipeWords, takes_words
from kitchen_tui.cli.output import emit_json, screen

QUOTE_EXAMPLES = """\b
Examples:
  kitchen quote sl_basic
  kitchen quote sl_basic --preset gpu batch_size=64
"""


@takes_words
def quote(words: RecipeWords, as_json: AsJson = False) -> None:
    """Say what memory, time and energy a run would take. Nothing is queued."""
    with connected() as client:
        quoted = client.quote(words.launch(client))
        if as_json:
            emit_json(quoted)
        else:
            from kitchen_tui.cli.views.quotes import quote_page

            screen().print(quote_page(quoted))
