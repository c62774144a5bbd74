"""What `kitchen --help` lists, and in which order."""

import typer.main

from kitchen_tui.cli.main import ORDER, app


def test_help_lists_every_command_in_the_order_in_which_one_needs_them(command):
    there_are = getattr(typer.main.get_command(app), "commands")  # noqa: B009 - of a private type
    _, _, commands = command("--help").out.partition("Commands:\n")
    listed = [line.split()[0] for line in commands.partition("\n\n")[0].splitlines()]
    assert listed == [name for name in ORDER if name in there_are]
    assert set(listed) == set(there_are)
