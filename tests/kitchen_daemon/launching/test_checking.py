"""A recipe may do anything while it is read; nothing of it is left when the reading is over."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kitchen_core.recipe import RecipeError
from kitchen_daemon.launching.checking import read_apart, warm_up

WAIT_SECONDS = 30.0
GOOD = """
from kitchen_core import Recipe
from kitchen_core.workflows import SupervisedConfig, supervised
recipe = Recipe("mine", "A recipe", supervised, SupervisedConfig())
"""
SLEEPER = """
import subprocess
from pathlib import Path
sleeper = subprocess.Popen(["sleep", "600"])
Path(__file__).with_name("pid").write_text(str(sleeper.pid))
"""
HOLDS_THE_PIPE = """
import os
from pathlib import Path
pid = os.fork()
if pid == 0:
    while True:
        os.read(os.pipe()[0], 1)
Path(__file__).with_name("pid").write_text(str(pid))
"""
TELLS_AND_LOOPS = """
import os
from pathlib import Path
Path(__file__).with_name("pids").write_text(str(os.getpid()))
while True:
    pass
"""
READ_LOOPING = """
import sys
from pathlib import Path
from kitchen_daemon.launching.checking import read_apart, warm_up
if __name__ == "__main__":
    warm_up()
    read_apart(Path(sys.argv[1]), seconds=1)
"""


@pytest.fixture(scope="module", autouse=True)
def warm():
    warm_up()


def written(folder: Path, text: str) -> Path:
    (folder / "mine.py").write_text(text)
    return folder / "mine.py"


def ends(pid: int) -> bool:
    """Whether a process is gone, or is so in time."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], WAIT_SECONDS)[0])
    finally:
        os.close(pidfd)


def test_what_a_recipe_prints_is_not_taken_for_its_reading(tmp_path):
    assert read_apart(written(tmp_path, "print('hello')" + GOOD)).name == "mine"


ENDINGS = {
    "is read": (GOOD, None),
    "loops": ("while True: pass", r"mine\.py: did not load within 2 s"),
    "exits": ("raise SystemExit(3)", r"ended while loading \(exit code 3\)"),
}


@pytest.mark.parametrize("child", [SLEEPER, HOLDS_THE_PIPE])
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_a_recipe_has_started_ends_with_its_reading(ending, child, tmp_path):
    text, error = ENDINGS[ending]
    recipe = written(tmp_path, child + text)
    if error is None:
        assert read_apart(recipe).name == "mine"
    else:
        with pytest.raises(RecipeError, match=error):
            read_apart(recipe, seconds=2)
    assert ends(int((tmp_path / "pid").read_text()))


def test_a_looping_reading_ends_without_its_daemon(tmp_path):
    os.mkfifo(tmp_path / "pids")
    script = tmp_path / "daemon.py"
    script.write_text(READ_LOOPING)
    recipe = written(tmp_path, TELLS_AND_LOOPS)
    daemon = subprocess.Popen([sys.executable, str(script), str(recipe)])
    reading = int((tmp_path / "pids").read_text())
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    assert ends(reading)


def test_reading_leaves_nothing_beside_the_recipe_and_sees_every_edit(tmp_path):
    helper, recipe = tmp_path / "limit_of_mine.py", tmp_path / "mine.py"
    helper.write_text("LIMIT = 7")
    recipe.write_text(
        "from kitchen_core import Recipe\n"
        "from kitchen_core.workflows import SupervisedConfig, supervised\n"
        "from limit_of_mine import LIMIT\n"
        'recipe = Recipe("mine", "Mine", supervised, SupervisedConfig(max_steps=LIMIT))\n'
    )
    assert read_apart(recipe).config["max_steps"] == 7
    helper.write_text("LIMIT = 8")
    assert read_apart(recipe).config["max_steps"] == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["limit_of_mine.py", "mine.py"]
