"""What `kitchen --help` lists, and in which order."""

import pytest
import typer.main

from kitchen_tui.cli.main import ORDER, app


def test_help_lists_every_command_in_the_order_in_which_one_needs_them(command):
    there_are = getattr(typer.main.get_command(app), "commands")  # noqa: B009 - of a private type
    _, _, commands = command("--help").out.partition("Commands:\n")
    listed = [line.split()[0] for line in commands.partition("\n\n")[0].splitlines()]
    assert listed == [name for name in ORDER if name in there_are]
    assert set(listed) == set(there_are)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "dpo", "--retries", "x"], "'--retries': given 'x', expected a whole number"),
        (["run", "dpo", "--retries", "101"], "'--retries': given '101', expected 100 or less"),
        (["queue", "--limit", "-1"], "'--limit': given '-1', expected 0 or more"),
        (["queue", "priority", "a", "b"], "'N': given 'b', expected a whole number"),
    ],
)
def test_a_wrong_number_is_told_as_a_wrong_setting_is(command, words, told):
    said = command(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[0] == f"error: invalid value for {told}"
