"""`python -m kitchen_tui.cli` is `kitchen`."""

from kitchen_tui.cli.main import main

main()
