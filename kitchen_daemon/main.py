"""The daemon's entry: `kitchen-daemon`, or `python -m kitchen_daemon.main`.

Imports are inside, so that processes forked to read recipes do not pay for them.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Serve this home until told to stop; exit code 1 where another daemon does, or where its settings are wrong."""
    import argparse
    from pathlib import Path

    from kitchen_core import __version__
    from kitchen_core.home import Home

    parser = argparse.ArgumentParser(
        prog="kitchen-daemon",
        description="Keeps the run store, queues runs and gives each a worker process.",
    )
    parser.add_argument("--home", type=Path, help="the kitchen's folder (default: $KITCHEN_HOME)")
    parser.add_argument("--version", action="version", version=f"crucible-kitchen {__version__}")
    given = parser.parse_args()
    home = Home(given.home.expanduser().resolve()) if given.home else Home.find()

    from kitchen_daemon.settings import BadSettings, read_settings

    try:
        settings = read_settings(home)
    except BadSettings as error:  # said at once: what the daemon imports takes seconds
        sys.exit(f"kitchen-daemon: {error}")

    from kitchen_daemon.service import AlreadyServed, serve

    try:
        serve(home, settings)
    except AlreadyServed as error:
        sys.exit(f"kitchen-daemon: {error}")


if __name__ == "__main__":
    main()
