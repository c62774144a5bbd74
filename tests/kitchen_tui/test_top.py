"""`kitchen top`: one page for scripts, and a live one that outlives the daemon and leaves the terminal as it was."""

import codecs
import fcntl
import json
import os
import pty
import select
import signal
import struct
import termios
import time
from contextlib import contextmanager

import pytest

from kitchen_daemon.models import Launch, ScheduleInfo, WindowInfo
from kitchen_tui.cli.views.gauges import gauge_lines
from kitchen_tui.cli.views.top import Glance, top_page
from tests.kitchen_tui.queued import console, drawn, machine, queue
from tests.kitchen_tui.support import Cut, kitchen

PATIENCE_S = 60.0
NIGHT = WindowInfo(
    name="night",
    hours="22:00-06:00",
    timezone="UTC",
    at_close="pause",
    is_open=False,
    changes_at=time.time() + 3 * 86400,
    runs=["1qnd00000001"],
)
NIGHTLY = ScheduleInfo(
    id="s",
    name="nightly",
    recipe="chat_sl",
    launch=Launch(recipe="chat_sl"),
    when="nightly 22:00",
    timezone="UTC",
    missed="once",
    enabled=True,
    next_at=time.time() + 2 * 86400,
    last_at=None,
    last_run=None,
    last_error=None,
    created_at=0.0,
)


@pytest.fixture
def busy(stub):
    """A daemon on a machine with a GPU, with runs that run and wait."""
    stub.answers |= {
        "GET /machine": machine(1),
        "GET /queue": queue(2, 30),
        "GET /windows": [NIGHT],
        "GET /schedules": [NIGHTLY],
    }
    return stub


class Terminal:
    """A terminal with a command on it: what it has written, and keys to press."""

    def __init__(self, home):
        self._ours, self._theirs = pty.openpty()
        self._unread = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.resize(80, 24)
        self.before = termios.tcgetattr(self._theirs)
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), self._theirs)
        self.process = kitchen(home, "top", environ={"TERM": "xterm-256color"}, **streams)

    def resize(self, columns, lines):
        """Give it another size."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def until(self, words):
        """What is written up to these words; fails where they don't come."""
        deadline = time.monotonic() + PATIENCE_S
        while words not in self._unread:
            ready, _, _ = select.select([self._ours], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"{words!r} was not written"
            self._unread += self._decoder.decode(os.read(self._ours, 65536))
        written, _, self._unread = self._unread.partition(words)
        return written

    def press(self, key):
        """Press a key."""
        os.write(self._ours, key)

    def settings(self):
        """How the terminal is set."""
        return termios.tcgetattr(self._theirs)

    def close(self):
        """Give it back."""
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@contextmanager
def on_a_terminal(home):
    terminal = Terminal(home)
    try:
        yield terminal
    finally:
        terminal.close()


def test_without_a_terminal_one_page_is_printed(busy, command):
    said = command("top")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert "2 running, 30 waiting" in lines[0]
    page = "\n".join(lines)
    assert " 42 %, 4 of 16 slots" in page
    assert "48 of 85 GB" in page
    assert "523 of 700 W" in page
    assert "64 °C" in page
    assert "a-rather-long-name-of-a-run 40 GB  pid 812 render 8 GB" in page
    assert "needs 9.4 GB of a GPU, 3.1 GB free: pid 812 uses 14 GB" in page


def test_what_the_clock_changes_next_is_told_the_soonest_first(busy, command):
    lines = command("top", "--once").out.splitlines()
    assert lines[-2].endswith("schedule nightly starts chat_sl")
    assert lines[-1].endswith("window night opens")


def test_json_is_one_object_of_the_machine_and_the_queue(busy, command):
    told = json.loads(command("top", "--json").out)
    assert told == {
        "machine": machine(1).model_dump(mode="json"),
        "queue": queue(2, 30).model_dump(mode="json"),
    }


def test_an_idle_kitchen_says_how_to_begin(busy, command):
    busy.answers["GET /queue"] = queue()
    out = command("top", "--once").out
    assert "Nothing runs." in out
    assert "Nothing waits. Start a run: kitchen run sl_basic" in out


def test_on_a_terminal_q_leaves_it_as_it_was(busy):
    with on_a_terminal(busy.home) as terminal:
        terminal.until("\x1b[?1049h")  # the terminal's other screen
        terminal.until("q leaves")
        terminal.resize(120, 40)
        terminal.until("the largest here has 85.5 GB")  # what is cut where it is narrow
        terminal.press(b"q")
        terminal.until("\x1b[?1049l")
        assert terminal.process.wait(PATIENCE_S) == 0
        assert terminal.settings() == terminal.before


def test_ctrl_c_leaves_as_cleanly(busy):
    with on_a_terminal(busy.home) as terminal:
        terminal.until("q leaves")
        terminal.process.send_signal(signal.SIGINT)
        assert "Traceback" not in terminal.until("\x1b[?1049l")
        assert terminal.process.wait(PATIENCE_S) == 0
        assert terminal.settings() == terminal.before


def test_a_daemon_that_goes_away_is_waited_for(busy):
    with on_a_terminal(busy.home) as terminal:
        terminal.until("q leaves")
        answer, busy.answers["GET /machine"] = busy.answers["GET /machine"], Cut()
        terminal.until("reconnecting…")
        terminal.until("1qnd00000001")  # what was known stays in sight
        busy.answers["GET /machine"] = answer
        terminal.until("q leaves")
        terminal.press(b"q")
        assert terminal.process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("size", [(60, 24), (80, 24), (100, 30), (160, 48)])
@pytest.mark.parametrize(("gpus", "runs", "waits"), [(0, 0, 0), (1, 2, 30), (8, 12, 10_000)])
def test_a_live_page_fits_the_screen(size, gpus, runs, waits):
    width, height = size
    paper = console(width, height)
    shown = queue(runs, waits, shown=60)
    page = top_page(Glance(0.0, machine(gpus), shown, [NIGHT]), paper, height=height)
    lines = drawn(page, width)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert any("CPU" in line for line in lines)
    if waits:
        assert any("1qnd00000001" in line or "more wait" in line for line in lines)


def test_where_there_is_little_room_power_and_heat_go_first():
    names = {"1qnc00000000": "sl_basic"}
    whole = gauge_lines(machine(8), names, 80)
    brief = gauge_lines(machine(8), names, 80, most=12)
    assert (len(whole), len(brief)) == (2 + 8 * 2 + 1, 2 + 8 + 1)
    assert not any("power" in line.plain for line in brief)
    assert len(gauge_lines(machine(8), names, 80, most=5)) == 2 + 8


def test_a_gauge_that_can_not_be_read_is_left_open():
    told = machine(1)
    silent = told.gpus[0].model_copy(update={"use": None, "power_w": None, "temperature_c": None})
    unread = {"cpu_use": None, "disk_bytes": None, "disk_free_bytes": None}
    blind = told.model_copy(update=unread | {"gpus": [silent], "histories": {}})
    first, second, _ = (line.plain for line in gauge_lines(blind, {}, 160))
    assert first.split() == [
        "CPU",
        "–,",
        *["4", "of", "16", "slots", "RAM", "15", "of", "24", "GB", "disk", "–"],
    ]
    assert second.split() == [
        *["GPU", "0", "use", "–", "memory", "48", "of", "85", "GB", "power", "–", "heat", "–"]
    ]
