"""Answers that no verifier should be given: the same ones for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

Kind = Callable[[Random], str]


def nested_braces(rng: Random) -> str:
    depth = rng.choice([50, 500, 5000])
    return "{" * depth + "1" + "}" * depth


def nested_parentheses(rng: Random) -> str:
    depth = rng.choice([30, 300, 3000])
    return "(" * depth + "x" + ")" * depth


def nested_fractions(rng: Random) -> str:
    depth = rng.choice([10, 40, 200])
    return r"\frac{1}{1+" * depth + "x" + "}" * depth


def nested_roots(rng: Random) -> str:
    depth = rng.choice([10, 60, 400])
    return r"\sqrt{2+" * depth + "2" + "}" * depth


def nested_boxes(rng: Random) -> str:
    depth = rng.choice([10, 1000])
    return r"\boxed{" * depth + "7" + "}" * depth


def power_tower(rng: Random) -> str:
    height = rng.randint(3, 6)
    return rng.choice(["**", "^"]).join(str(rng.randint(7, 99)) for _ in range(height))


def latex_power_tower(rng: Random) -> str:
    height = rng.randint(3, 6)
    return "^{".join(str(rng.randint(7, 99)) for _ in range(height)) + "}" * (height - 1)


def huge_factorial(rng: Random) -> str:
    return rng.choice([r"(10^{9})!", "99999999!", "((20!)!)!", r"\binom{10^{8}}{5\cdot10^{7}}"])


def huge_number(rng: Random) -> str:
    return "9" * rng.choice([400, 5000, 100_000])


def unbalanced(rng: Random) -> str:
    return "".join(rng.choice(r"{}()[]\\$^_&12x") for _ in range(rng.randint(20, 800)))


def latex_noise(rng: Random) -> str:
    commands = [r"\frac", r"\sqrt", r"\left", r"\right", r"\begin{", r"\end{", r"\text{", r"\sum"]
    return "".join(rng.choice([*commands, "{", "}", "x", "1", "^", "_"]) for _ in range(200))


def long_text(rng: Random) -> str:
    return "".join(rng.choice("abc 123 \\{}$+-") for _ in range(100_000))


def repeated_signs(rng: Random) -> str:
    return (
        rng.choice(["-", "+", "!", "'", "^", "$", "\\", ",", ".", "=", "<"])
        * rng.choice([100, 9000])
        + "1"
    )


def unicode_digits(rng: Random) -> str:
    return "".join(
        chr(rng.choice([0x660, 0x966, 0xFF10, 0x1D7CE]) + rng.randint(0, 9)) for _ in range(30)
    )


def control_characters(rng: Random) -> str:
    return "".join(chr(rng.randint(0, 31)) for _ in range(50)) + "7"


def not_a_number(rng: Random) -> str:
    return rng.choice(
        [
            "NaN",
            "nan",
            "inf",
            "-inf",
            r"\infty-\infty",
            r"\frac{0}{0}",
            r"\frac{1}{0}",
            "0^0",
            "1e999999",
        ]
    )


def interval(rng: Random) -> str:
    ends = ",".join(
        rng.choice([r"-\infty", r"\infty", "nan", "1", r"\frac{1}{0}"]) for _ in range(2)
    )
    return rng.choice("([") + ends + rng.choice(")]")


def union_of_intervals(rng: Random) -> str:
    return r"\cup".join(f"({i},{i + 1})" for i in range(rng.choice([20, 200, 2000])))


def matrix(rng: Random) -> str:
    rows, columns = rng.choice([(3, 3), (30, 30), (1000, 1000)])
    row = "&".join(["1"] * columns)
    return r"\begin{pmatrix}" + r"\\".join([row] * rows) + r"\end{pmatrix}"


def long_sum(rng: Random) -> str:
    return "+".join(f"x_{{{i}}}^{{{i}}}" for i in range(rng.choice([50, 500, 5000])))


def expanding_product(rng: Random) -> str:
    return (
        "".join(f"(x+{i})" for i in range(rng.choice([10, 60])))
        + f"^{{{rng.choice([9, 900, 900000])}}}"
    )


def hard_integral(rng: Random) -> str:
    return rng.choice([
        r"\int_0^{\infty} \frac{\sin(x^{7})}{x^{5}+e^{x}} dx",
        r"\sum_{n=1}^{10^{9}} \frac{1}{n^{3}}",
        r"\prod_{n=1}^{10^{7}} (1+\frac{1}{n})",
        r"\lim_{x\to\infty} \left(1+\frac{\sin x}{x}\right)^{x^{2}}",
    ])  # fmt: skip


def hard_equation(rng: Random) -> str:
    degree = rng.randint(7, 40)
    return f"x^{{{degree}}}-3x^{{{degree - 2}}}+\\sin x = e^{{x^{{{degree}}}}}"


def python_code(rng: Random) -> str:
    return rng.choice([
        "__import__('os').system('sleep 99')", "().__class__.__bases__[0]", "exec('while 1: pass')",
        "[0]*10**12", "'a'*10**12", "(lambda: 1)()", "open('/etc/passwd')",
    ])  # fmt: skip


KINDS: tuple[Kind, ...] = (
    nested_braces, nested_parentheses, nested_fractions, nested_roots, nested_boxes, power_tower, latex_power_tower,
    huge_factorial, huge_number, unbalanced, latex_noise, long_text, repeated_signs, unicode_digits, control_characters,
    not_a_number, interval, union_of_intervals, matrix, long_sum, expanding_product, hard_integral, hard_equation,
    python_code,
)  # fmt: skip

GOLDS = (
    "7",
    r"\frac{1}{2}",
    "x^{2}+1",
    "(1,2)",
    r"\{1,2\}",
    r"\begin{pmatrix}1\\2\end{pmatrix}",
    "x<2",
)


def hostile_answers(count: int, seed: int) -> list[tuple[str, str, str]]:
    """So many `(kind, gold, answer)`, every kind in turn. One in ten compares a hostile answer with itself."""
    rng = Random(seed)
    found: list[tuple[str, str, str]] = []
    for i in range(count):
        kind = KINDS[i % len(KINDS)]
        answer = kind(rng)
        found.append((kind.__name__, answer if rng.random() < 0.1 else rng.choice(GOLDS), answer))
    return found
