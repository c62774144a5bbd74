"""What somebody is writing is not taken."""

from __future__ import annotations

import signal
import threading

import pytest

from kitchen_core.config import ConfigError
from kitchen_daemon.launching import settling
from kitchen_daemon.launching.checking import Unread, warm_up
from kitchen_daemon.launching.settling import Unsettled, is_being_written, read_settled

GOOD = """
from kitchen_core import Recipe
from kitchen_core.workflows import SupervisedConfig, supervised
recipe = Recipe("mine", "%s", supervised, SupervisedConfig())
"""


@pytest.fixture(scope="module", autouse=True)
def warm():
    warm_up()


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(GOOD % "whole")
    return file


def test_a_file_is_being_written_while_someone_has_it_open_for_that(file):
    assert not is_being_written(file)
    with file.open("rb"):
        assert not is_being_written(file)
    for mode in ("ab", "r+b"):
        with file.open(mode):
            assert is_being_written(file)
    assert not is_being_written(file)
    assert not is_being_written(file.with_name("nothing.py"))


def test_a_writer_who_comes_while_one_looks_does_not_end_the_process(file):
    """A lease that is broken is told by a signal: SIGIO, which ends a process, unless another was asked for."""
    assert signal.getsignal(signal.SIGIO) is signal.SIG_DFL
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            with file.open("r+b"):
                pass

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(3000):
        is_being_written(file)
    done.set()
    writer.join(30)
    assert not writer.is_alive()


def test_a_launch_of_a_file_is_refused_while_it_is_being_written(file, monkeypatch):
    monkeypatch.setattr(settling, "PATIENCE_S", 0.05)
    with file.open("r+b"), pytest.raises(Unsettled, match=r"mine\.py: a program is still writing"):
        read_settled(file)
    assert read_settled(file).description == "whole"


def test_a_launch_waits_until_the_file_is_whole(file):
    opened = threading.Event()

    def write() -> None:
        with file.open("w") as writer:
            writer.write(GOOD % "half")
            writer.flush()
            opened.set()
            while not file.with_name("mine.py.seen").exists():
                pass
            writer.seek(0)
            writer.write(GOOD % "edited")

    writer = threading.Thread(target=write)
    writer.start()
    assert opened.wait(30)
    threading.Timer(0.2, lambda: file.with_name("mine.py.seen").touch()).start()
    assert read_settled(file).description == "edited"
    writer.join(30)


def test_what_is_read_is_what_is_there_when_the_reading_is_over(file, monkeypatch):
    """A save while the recipe is read: the reading is done again."""
    read, texts = settling.read_apart, ["second", "third"]

    def read_and_save(path, *given, **options):
        reading = read(path, *given, **options)
        if texts:
            file.write_text(GOOD % texts.pop(0))
        return reading

    monkeypatch.setattr(settling, "read_apart", read_and_save)
    reading = read_settled(file)
    assert (reading.description, texts) == ("third", [])
    assert reading.sources == {"mine.py": file.read_bytes()}


def test_what_is_wrong_is_said_as_it_is(file):
    with pytest.raises(ConfigError, match="unknown preset 'big'"):
        read_settled(file, "big")
    file.write_text("import helper_of_mine\nrecipe = 1")
    file.with_name("helper_of_mine.py").write_text("1 / 0")
    with pytest.raises(Unread, match=r"helper_of_mine\.py:1: ZeroDivisionError") as unread:
        read_settled(file)
    assert {each.name for each in unread.value.taken} == {"mine.py", "helper_of_mine.py"}
