"""Build `builtin:tiny-sl` from `builtin:tiny`: `python -m kitchen_core.builtin.build_sl OUT`.

It is what the recipe sl_basic makes of the embedded model with its own defaults: a model that answers
sums in chat form, about as sloppily as the demonstrations that it learned from, which is what the
recipes that repair a model start from. `builtin:tiny-rl`, which distillation learns from, is made of
`builtin:tiny-sl` by math_rl in the same way: `--recipe math_rl`. The recipe is run as a user runs it,
in a home of its own, and its final model copied to the folder OUT; the SHA-256 of each file is printed.
Takes some seconds of one CPU core. The same bytes come out on the same kind of CPU; another kind may
round differently, which is why the weights are shipped with their hashes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from kitchen_core.builtin import file_hashes

KITCHEN = [sys.executable, "-m", "kitchen_tui.cli"]


def main() -> None:
    """Read the command line, build, print the hashes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--recipe", default="sl_basic")
    arguments = parser.parse_args()
    build(arguments.out, arguments.recipe)
    print(json.dumps({arguments.out.name: file_hashes(arguments.out)}, indent=2))


def build(out: Path, recipe: str = "sl_basic") -> None:
    """Run the recipe and put its final model into the folder `out`, which is made."""
    with TemporaryDirectory(prefix="kitchen-") as home:
        environ = {**os.environ, "KITCHEN_HOME": home}
        try:
            told = subprocess.run(
                [*KITCHEN, "run", recipe, "--wait", "--json"],
                env=environ,
                check=True,
                stdout=subprocess.PIPE,
            )
            made = {
                each["name"]: Path(each["path"]) for each in json.loads(told.stdout)["artifacts"]
            }
            out.mkdir(parents=True)
            for file in made["final"].iterdir():
                shutil.copyfile(file, out / file.name)
        finally:
            subprocess.run([*KITCHEN, "down"], env=environ, check=False)


if __name__ == "__main__":
    main()
