"""The worked example of docs/adapters.md is built, installed, and used by a run; its tables are true."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kitchen_core.adapters.choices import ManifestError
from kitchen_core.adapters.finding import OURS, find_adapters
from kitchen_core.home import Home
from kitchen_core.store import Store
from kitchen_core.telemetry.schema import RunStatus
from kitchen_core.train.ports.adapter import PORTS
from kitchen_daemon.adapters import adapter_info
from kitchen_daemon.execution import execute_run
from kitchen_daemon.models import Launch
from kitchen_daemon.shelf import Shelf
from kitchen_daemon.submission import Submissions
from kitchen_daemon.views import lineage

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "adapters.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^\*\*(\S+)\*\*\n\n```\w*\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
QUICK = {"max_steps": 2, "save_every": 0, "eval_every": 0}


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """The example's folder, as the page tells to write it."""
    folder = tmp_path_factory.mktemp("kitchen-tsv")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def site(source, tmp_path_factory) -> Path:
    """Where the example is installed."""
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    options = ["--no-build-isolation", "--disable-pip-version-check", "--target", str(site)]
    subprocess.run([*pip, *options, str(source)], check=True)
    return site


@pytest.fixture
def installed(site, monkeypatch) -> Iterator[None]:
    """The example is found, here and for as long as the test runs."""
    monkeypatch.syspath_prepend(site)
    find_adapters.cache_clear()
    yield
    find_adapters.cache_clear()
    sys.modules.pop("kitchen_tsv", None)


@pytest.fixture
def home(tmp_path) -> Home:
    home = Home(tmp_path / "kitchen")
    home.make()
    return home


def test_a_run_reads_its_data_through_the_example(installed, source, home):
    launch = Launch(
        recipe="sl_basic",
        manifest="test",
        adapters={"dataset_reader": "tsv"},
        overrides={**QUICK, "dataset": f"file:{source / 'sums.tsv'}"},
    )
    with Store.open(home.root) as store:
        run = Submissions(home, store, Shelf(home)).submit(launch)
        attempt = store.begin_attempt(run.id, os.getpid(), 0.0, "boot", str(home.daemon_log))
        before = signal.getsignal(signal.SIGTERM)
        try:
            asyncio.run(execute_run(home, run.id, attempt))
        finally:
            signal.signal(signal.SIGTERM, before)
        run = store.get_run(run.id)
        assert (run.status, run.error) == (RunStatus.COMPLETED, None)
        nodes = lineage(store, run.id).nodes
    (data,) = [node for node in nodes if node.kind == "dataset"]
    assert data.name == "sums.tsv"


def test_its_options_are_known_and_typed(installed, home):
    info = adapter_info(home, "tsv")
    assert info.origin == "kitchen-tsv 0.1.0"
    (columns,) = info.options
    assert (columns.name, columns.kind, columns.required) == ("columns", "list of text", False)
    with Store.open(home.root) as store:
        submissions = Submissions(home, store, Shelf(home))
        for given, message in (
            ({"dataset_reader.columns": "question"}, "expected a list of text"),
            ({"dataset_reader.colums": "[]"}, "did you mean 'columns'?"),
        ):
            launch = Launch(recipe="sl_basic", adapters={"dataset_reader": "tsv", **given})
            with pytest.raises(ManifestError, match=re.escape(message)):
                submissions.plan(launch)


def test_it_passes_the_suite_of_its_port(site, source):
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(source / "test_contract.py"),
        "-c",
        "pyproject.toml",
    ]
    path = os.pathsep.join([str(site), str(REPOSITORY)])
    told = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout
    assert re.search(r"\b5 passed", told.stdout), told.stdout


def test_the_page_lists_every_port_and_who_ships_for_it():
    found = find_adapters()
    for port in PORTS:
        (row,) = re.findall(rf"^\| `{port}` \|.*\| (.*) \|$", PAGE, re.MULTILINE)
        ours = [name for name in found.serving(port) if found.origins[name].package == OURS]
        assert re.findall(r"`(\w+)`", row) == ours, port
