"""Every way in which editors save leads to one revision, of what was saved."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kitchen_daemon.reloading.conftest import recipe


def in_place(file: Path, text: str) -> None:
    with file.open("w") as writer:
        writer.write(text)


def in_small_writes(file: Path, text: str) -> None:
    """As a redirected shell command does."""
    with file.open("w") as writer:
        for line in text.splitlines(keepends=True):
            writer.write(line)
            writer.flush()


def as_vim(file: Path, text: str) -> None:
    """Tries whether it may make files, moves the old one away, writes the new one."""
    folder = file.parent
    (folder / f".{file.name}.swp").write_bytes(b"b0VIM")
    (folder / "4913").touch()
    (folder / "4913").unlink()
    file.rename(folder / f"{file.name}~")
    in_place(file, text)
    (folder / f"{file.name}~").unlink()


def as_emacs(file: Path, text: str) -> None:
    """Locks by a link that leads nowhere, and keeps a copy."""
    lock = file.parent / f".#{file.name}"
    lock.symlink_to("me@here.1:2")
    shutil.copyfile(file, file.with_name(f"{file.name}~"))
    in_place(file, text)
    lock.unlink()


def by_hard_link(file: Path, text: str) -> None:
    """The old one stays under another name, and a new one takes its place."""
    kept = file.with_name(f"{file.name}.bak")
    kept.unlink(missing_ok=True)
    os.link(file, kept)
    new = file.with_name(".new.py")
    new.write_text(text)
    new.rename(file)


def by_rename(file: Path, text: str) -> None:
    """As sed -i and most programs that don't want to lose anything."""
    new = file.with_name(f"{file.name}.tmp")
    new.write_text(text)
    new.replace(file)


def truncated_first(file: Path, text: str) -> None:
    """As VS Code: two opens."""
    os.truncate(file, 0)
    with file.open("r+") as writer:
        writer.write(text)


def deleted_and_made_again(file: Path, text: str) -> None:
    file.unlink()
    in_place(file, text)


WAYS = [
    in_place,
    in_small_writes,
    as_vim,
    as_emacs,
    by_hard_link,
    by_rename,
    truncated_first,
    deleted_and_made_again,
]


@pytest.mark.parametrize("save", WAYS)
async def test_a_save_is_one_revision_however_it_is_done(live, save):
    before = live.shown().revision
    save(live.path(), recipe("second"))
    told = await live.becomes("second")
    assert (told["files"], told["previous"]) == (["mine.py"], before)
    assert live.tree(told["sha256"]) == {"mine.py": recipe("second")}
    save(live.path(), recipe("third"))
    await live.becomes("third")  # and nothing in between


@pytest.mark.parametrize(
    "half", [recipe("half"), "from kitchen_core import Recipe\nrecipe = (\n", ""]
)
async def test_half_of_a_file_is_no_revision_while_its_writer_has_it_open(live, half):
    """half: a recipe in itself, one that is broken as yet, none at all."""
    with live.path().open("w") as writer:
        writer.write(half)
        writer.flush()
        live.write("meanwhile", "other")
        await live.becomes("meanwhile", "other")
        live.write("meanwhile again", "other")
        await live.becomes("meanwhile again", "other")
        writer.seek(0)
        writer.write(recipe("whole"))
    await live.becomes("whole")


async def test_what_leaves_the_bytes_as_they_were_is_not_told(live):
    live.path().touch()
    in_place(live.path(), recipe("first"))
    live.path().chmod(0o600)
    live.write("meanwhile", "other")
    await live.becomes("meanwhile", "other")
    live.write("second")
    await live.becomes("second")


async def test_an_edit_undone_is_the_older_revision_again(live):
    first = live.shown()
    live.write("second")
    second = await live.becomes("second")
    live.write("first")
    again = await live.becomes("first")
    assert (again["sha256"], again["previous"]) == (first.revision, second["sha256"])
    assert live.shown().revised_at > first.revised_at
    newest, older = live.store.list_revisions("mine")
    assert (newest.sha256, older.sha256) == (first.revision, second["sha256"])


HELPED = "from parts.limits import LIMIT"


async def test_a_helper_is_part_of_the_recipe(live):
    (live.home.recipes / "parts").mkdir()
    helper = live.home.recipes / "parts" / "limits.py"
    live.write("helped", imports=HELPED)
    helper.write_text("LIMIT = 1")
    told = await live.becomes("helped")
    assert live.tree(told["sha256"]).keys() == {"mine.py", "parts/limits.py"}
    helper.write_text("LIMIT = 2")
    told = await live.becomes("helped")
    assert told["files"] == ["parts/limits.py"]
    assert live.tree(told["sha256"])["parts/limits.py"] == "LIMIT = 2"
    helper.unlink()
    assert "parts.limits" in (await live.breaks())["error"]
    helper.write_text("LIMIT = 3")
    await live.becomes("helped")


async def test_only_recipes_that_a_change_concerns_are_read(live):
    for number in range(200):
        (live.home.recipes / f"module_{number}.py").write_text("x = 1")
    counting = "open(__file__.replace('other.py', 'readings'), 'a').write('.')"
    live.write("counts", "other", counting)
    await live.becomes("counts", "other")
    (live.home.recipes / "module_7.py").write_text("x = 2")
    for folder in (".git", ".venv", "__pycache__"):
        (live.home.recipes / folder).mkdir()
        (live.home.recipes / folder / "inside.py").write_text(recipe("hidden", "inside"))
    live.write("second")
    await live.becomes("second")
    assert (live.home.recipes / "readings").read_text() == "."
    assert [each.name for each in live.shelf.summaries()] == ["mine", "other"]


async def test_a_checkout_of_another_branch_is_told_with_its_commit(watched):
    def git(*words: str) -> str:
        identity = ["-c", "user.name=me", "-c", "user.email=me@here"]
        command = ["git", "-C", str(watched.home.recipes), *identity, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    names = ("mine", "other")
    git("init", "-b", "main")
    for branch, text in (("main", "first"), ("next", "second")):
        if branch == "next":
            git("checkout", "-b", "next")
        for name in names:
            watched.write(text, name)
        git("add", "*.py")
        git("commit", "-m", text)
    git("checkout", "main")
    async with watched.reloading():
        for name in names:
            await watched.becomes("first", name)
        git("checkout", "next")
        commit = git("rev-parse", "HEAD")
        for name in names:
            event = await watched.next(name)
            found = watched.store.get_revision(event.metadata["sha256"])
            assert (found.git_commit, found.git_dirty) == (commit, False)
