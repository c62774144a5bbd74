"""What a process of its own may do, and that nothing of it stays."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from kitchen_core.home import Home
from kitchen_daemon.apart import Apart, Stopping, Task

BEGIN = "from kitchen_daemon.apart import Task, take_task\ntask, say = take_task(Task)\n"
ANSWERS = "say(Task(home='HOME', seconds=1))\n"
LEAVES_A_CHILD = "import subprocess\nchild = subprocess.Popen(['sleep', '600'])\n"
TELLS = "open({!r}, 'w').write(f'{{child.pid}}\\n')\n"
HANGS = "import time\ntime.sleep(600)\n"
KEY = "sk-planted-0123456789"


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.make()
    home.secrets.write_text(f"SOME_KEY={KEY}\n")
    home.secrets.chmod(0o600)
    return home


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Makes a module of what it is to do after its task has come."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")

    def make(*does: str, begin: str = BEGIN) -> str:
        (tmp_path / "answering.py").write_text("".join([begin, *does]))
        return "answering"

    return make


@pytest.fixture
def told(tmp_path):
    """A pipe that has a name, to be told by what is under way."""
    os.mkfifo(tmp_path / "told")
    return tmp_path / "told"


def ask(home, module, seconds=30.0):
    return Apart(home).ask(module, Task(home=str(home.root), seconds=seconds))


def until_gone(pid: int) -> None:
    try:
        ready, _, _ = select.select([os.pidfd_open(pid)], [], [], 10)
    except ProcessLookupError:
        return
    assert ready, f"{pid} still runs"


def test_what_it_has_started_is_not_waited_for_and_goes_with_it(home, module, told, tmp_path):
    pid = tmp_path / "pid"
    began = time.monotonic()
    said = ask(home, module(ANSWERS, LEAVES_A_CHILD, TELLS.format(str(pid))))
    assert time.monotonic() - began < 25
    assert (said.exit_code, [answer["home"] for answer in said.answers]) == (0, ["HOME"])
    until_gone(int(pid.read_text()))


def test_neither_its_answer_nor_the_log_has_a_key(home, module):
    prints = f"import sys, os\nprint('said', '{KEY}')\nos.write(2, b'and {KEY} from C\\n')\n"
    said = ask(home, module(prints, ANSWERS.replace("HOME", f"with {KEY}")))
    assert said.answers[0]["home"] == "with [SOME_KEY]"
    assert said.last_words == "and [SOME_KEY] from C"
    log = home.daemon_log.read_text()
    assert log == "said [SOME_KEY]\nand [SOME_KEY] from C\n"


def test_what_was_said_before_its_time_was_up_counts_and_half_a_line_does_not(home, module):
    said = ask(
        home,
        module(
            ANSWERS, "os.write(raw, b'{')\n", HANGS, begin="import os\nraw = os.dup(1)\n" + BEGIN
        ),
        seconds=2.0,
    )
    assert (said.exit_code, len(said.answers)) == (None, 1)


def test_it_ends_with_a_daemon_that_is_killed(home, module, told):
    asks = (
        "from kitchen_core.home import Home\nfrom kitchen_daemon.apart import Apart, Task\n"
        f"from pathlib import Path\nhome = Home(Path({str(home.root)!r}))\n"
        f"Apart(home).ask({module(LEAVES_A_CHILD, TELLS.format(str(told)), HANGS)!r},"
        " Task(home=str(home.root), seconds=600))\n"
    )
    daemon = subprocess.Popen([sys.executable, "-c", asks])
    child = int(told.read_text())
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    until_gone(child)


def test_who_waits_when_the_daemon_stops_is_told(home, module, told):
    apart = Apart(home)
    name = module(LEAVES_A_CHILD, TELLS.format(str(told)), HANGS)
    task = Task(home=str(home.root), seconds=600)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(apart.ask, name, task)
        child = int(told.read_text())
        apart.close()
        with pytest.raises(Stopping, match="the daemon is stopping"):
            waiting.result(30)
    until_gone(child)
    with pytest.raises(Stopping):
        apart.ask(name, task)
