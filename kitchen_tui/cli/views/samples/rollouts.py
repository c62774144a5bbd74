"""Episodes of a policy in an environment: what it did, what that earned, and what it was told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from kitchen_tui.cli.views.samples.collecting import Sample
from kitchen_tui.cli.views.samples.look import KindView, Look, more_than, parts_of, said, surprises
from kitchen_tui.cli.views.style import facts
from kitchen_tui.cli.views.tokens import indented, visible
from kitchen_tui.format import number, signed


def _draw(samples: Sequence[Sample], look: Look) -> Iterator[RenderableType]:
    for _, of_group in groupby(samples, lambda each: (each.get("group"), each.get("where"))):
        episodes = list(of_group)
        yield from _problem(episodes[0])
        for episode in episodes:
            yield indented(_title(episode))
            for turn in _turns(episode, look):
                yield indented(indented(turn))
        yield Text()


def _problem(episode: Sample) -> Iterator[RenderableType]:
    """What the episodes of a group have in common."""
    tags = ", ".join(episode.get("tags") or ())
    where = str(episode.get("where") or "a problem")
    yield Text.assemble((where, "cyan"), (f"  {tags}" if tags else "", "dim"))
    question = str(episode.get("question", ""))
    told = [("question", visible(question))]
    prompt = next((str(turn.get("prompt", "")) for turn in episode.get("turns", ())), "")
    if more_than(prompt, question):
        told.append(("prompt", visible(prompt)))
    if episode.get("expected"):
        told.append(("expected", visible(str(episode["expected"]))))
    yield indented(facts(told))


def _title(episode: Sample) -> Text:
    if episode.get("error"):
        return Text(f"left out: {episode['error']}", style="red")
    title = Text.assemble((f"reward {number(episode.get('reward'))}", "bold"))
    if "advantage" in episode:
        advantage = episode["advantage"] or 0.0
        color = "green" if advantage > 0 else "red" if advantage < 0 else "dim"
        title.append("  advantage ").append(signed(episode["advantage"]), style=color)
    parts = parts_of(episode.get("rewards") or {})
    title.append(f"  {parts}" if parts else "", style="dim")
    if episode.get("version") not in (None, episode["step"]):
        title.append(f"  sampled at step {episode['version']}", style="dim")
    return title


def _turns(episode: Sample, look: Look) -> Iterator[RenderableType]:
    turns: Sequence[Mapping[str, Any]] = episode.get("turns", ())
    for turn in turns:
        text = Text(overflow="fold").append(said(turn.get("tokens", ()), "", look))
        parts = parts_of(turn.get("rewards") or {})
        yield text.append(f"  {parts}" if len(turns) > 1 and parts else "", style="dim")
        if turn.get("told"):
            told = f"→ {visible(str(turn['told']))}"
            yield Text(told, style="cyan", overflow="fold")


VIEW = KindView("episodes", surprises, _draw)
