"""The text that the base model is trained on: sums in many raw forms, never in the chat form."""

from random import Random

from kitchen_core.builtin.problems import Problem, pick, steps, sums

_OPENINGS = ("", "", "So ", "Now ", "What is ", "See: ", "I add ", "\n", "You ask ")
_LINKS = (" = ", " = ", " makes ", " is ", "? ", "?\n", "? That is ", "? I say ", ", so: ", "? So ")
_WRAPS = (("", "\n"), ("", "."), ("(", ")"), ("\\boxed{", "}"), ("\\boxed{", "}"), ("[", "]"))
_TURNS = (" ", " and ", "\nAnd ", " then ", " And ", "\n")
_SIGNS = {"+": (" + ", "plus ", "plus "), "-": (" - ", "minus ", "minus ")}
Piece = tuple[str, bool]
"""A piece of text, and whether it is an answer: what training weighs in full."""


def line(rng: Random) -> list[Piece]:
    """One line of raw text over problems of the train split."""
    draw = rng.random()
    first = pick(rng, sums("train"))
    follow_ups = steps(first.result, "train")
    then = pick(rng, follow_ups)
    if draw < 0.6:
        return [(pick(rng, _OPENINGS), False), *_answered(rng, str(first), first)]
    if draw < 0.7:
        return [(pick(rng, _OPENINGS), False), *_answered(rng, str(then), then)]
    return [
        (pick(rng, _OPENINGS), False),
        *_answered(rng, str(first), first),
        (pick(rng, _TURNS), False),
        *_answered(rng, f"{pick(rng, _SIGNS[then.operator])}{then.right}", then),
    ]


def _answered(rng: Random, spelt: str, problem: Problem) -> list[Piece]:
    opening, closing = pick(rng, _WRAPS)
    links = "".join(pick(rng, _LINKS) for _ in range(1 + int(rng.random() * 2)))
    return [(f"{spelt}{links}{opening}", False), (f"{problem.result}{closing}", True)]
