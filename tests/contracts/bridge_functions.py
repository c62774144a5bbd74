"""What the bridge's contract calls, well-behaved and not."""

from __future__ import annotations

import os


def add(left: int, right: int) -> int:
    return left + right


def echo(value: object) -> object:
    return value


def hang() -> int:
    return len(str(7 ** (7**9)))  # minutes inside C code, which no Python signal handler interrupts


def eat(megabytes: int) -> int:
    return len(bytearray(megabytes << 20))


def die() -> None:
    os._exit(3)


def refuse(why: str) -> None:
    raise ValueError(why)


def unspeakable() -> object:
    return {1, 2}
