"""Resolving refs: what they lead to, what is reported of it, and what is held against a pin."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kitchen_core import builtin
from kitchen_core.adapters.local_files import LocalFiles
from kitchen_core.adapters.memory import MemoryHub
from kitchen_core.ports.sources import StoredModel
from kitchen_core.refs import RefError
from kitchen_core.resolver import Resolver
from kitchen_core.train.ports.errors import NotFound


@pytest.fixture
def resolve():
    def make(pins=None):
        found = []
        resolver = Resolver(
            builtins=builtin,
            stored=None,  # type: ignore[arg-type]  # no ref of these tests leads to the store
            reader=LocalFiles,
            model_hub=MemoryHub,
            dataset_hub=MemoryHub,
            pins=pins or {},
            on_resolved=lambda ref, node, role: found.append((ref, node.sha256, role)),
            pin=lambda ref, pin: None,
        )
        return resolver, found

    return make


def jsonl(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


async def test_resolving_a_dataset_reports_the_hash_of_its_canonical_rows(tmp_path, resolve):
    # printf '{"a":1,"b":"é"}\n' | sha256sum
    expected = "86fe296db8927e9cb5d8818cc9f99ec24ab069f3b9860878fa5ecc673da84b59"
    one = jsonl(tmp_path / "one.jsonl", '{"b": "\\u00e9", "a": 1}')
    other = jsonl(tmp_path / "other.jsonl", '{"a":1,   "b":"é"}')
    resolver, found = resolve()
    for path in (one, other):
        assert (await resolver.dataset(f"file:{path}")).fingerprint == expected
    assert found == [(f"file:{path}", expected, "dataset") for path in (one, other)]


async def test_builtin_data_that_changed_asks_for_the_version_it_came_with(resolve):
    resolver, _ = resolve({"builtin:chat": "0" * 64})
    with pytest.raises(RefError, match="install the version that it was submitted with, or launch"):
        await resolver.dataset("builtin:chat")


async def test_a_pinned_file_that_is_gone_is_refused(tmp_path, resolve):
    ref = f"file:{tmp_path}/gone.jsonl"
    resolver, _ = resolve({ref: "0" * 64})
    with pytest.raises(RefError, match=r"gone\.jsonl can't be read: No such file.*; put it back"):
        await resolver.dataset(ref)


async def test_a_file_that_changed_since_it_was_pinned_is_refused(tmp_path, resolve):
    ref = f"file:{jsonl(tmp_path / 'a.jsonl', '{}')}"
    resolver, found = resolve({ref: "0" * 64})
    with pytest.raises(RefError, match="has changed since this run was submitted"):
        await resolver.dataset(ref)
    assert found == []


async def test_the_embedded_data_brings_its_own_test_split(resolve):
    resolver, _ = resolve()
    data = await resolver.dataset("builtin:arithmetic")
    assert data.train.num_rows > data.test.num_rows


async def test_an_unknown_builtin_suggests_the_nearest(resolve):
    resolver, _ = resolve()
    with pytest.raises(RefError, match="tiny"):
        await resolver.model("builtin:tyni")


@pytest.fixture
def hub():
    """A hub with the embedded model under another name."""
    made = MemoryHub()
    made.put("org/name", builtin.model_folder("tiny"), "abc123")
    return made


@dataclass
class OneAdapter:
    """A store that knows one adapter tree."""

    tree: StoredModel

    def of_artifact(self, sha256):
        return self.tree


def resolver_of(hub, pins, pinned, *, stored=None, found=None):
    return Resolver(
        builtins=builtin,
        stored=stored,  # type: ignore[arg-type]  # only what the test asks of it
        reader=LocalFiles,
        model_hub=lambda: hub,
        dataset_hub=lambda: hub,
        pins=pins,
        on_resolved=lambda ref, node, role: (
            found.append((role, node.name)) if found is not None else None
        ),
        pin=lambda ref, pin: pinned.append((ref, pin)),
    )


async def test_a_hub_name_is_pinned_to_the_commit_that_it_led_to_first(hub):
    pinned = []
    await resolver_of(hub, {}, pinned).model("org/name")
    assert pinned == [("org/name", "hf:org/name@abc123")]
    again = []
    resolved = await resolver_of(hub, dict(pinned), again).model("org/name")
    assert (again, resolved.source.name) == ([], "org/name")


async def test_a_pinned_commit_that_is_gone_is_not_replaced_by_a_newer_one(hub):
    with pytest.raises(NotFound, match="no such revision"):
        await resolver_of(hub, {"org/name": "hf:org/name@old"}, []).model("org/name")


async def test_an_adapters_base_is_reported_and_held_against_its_hash(hub, tmp_path):
    tree = StoredModel("f" * 64, tmp_path, "final", base="builtin:tiny")
    found = []
    resolved = await resolver_of(hub, {}, [], stored=OneAdapter(tree), found=found).model(
        f"artifact:{'f' * 64}"
    )
    assert found == [("base of model", "builtin:tiny"), ("model", "final")]
    assert (resolved.source.folder, resolved.source.adapter) == (
        builtin.model_folder("tiny"),
        tmp_path,
    )
    changed = replace(tree, base_sha256="0" * 64)
    with pytest.raises(RefError, match="builtin:tiny has changed"):
        await resolver_of(hub, {}, [], stored=OneAdapter(changed)).model(f"artifact:{'f' * 64}")


ROWS = [{"text": "a"}, {"text": "b"}]
OTHERS = [{"text": "c"}]


@pytest.fixture
def data_hub():
    """A hub with a dataset of two subsets, and one of many splits."""
    made = MemoryHub()
    made.put_dataset(
        "org/data", {None: {"train": ROWS, "test": OTHERS}, "s": {"train": ROWS}}, "c1"
    )
    return made


async def test_a_hub_dataset_brings_its_splits_and_its_commit(data_hub):
    found, pinned = [], []
    data = await resolver_of(data_hub, {}, pinned, found=found).dataset("org/data")
    assert (list(data.train.rows), list(data.test.rows)) == (ROWS, OTHERS)
    assert (data.train.num_rows, data.test.num_rows, data.num_rows) == (2, 1, 3)
    assert (data.revision, found) == ("c1", [("dataset", "org/data@c1")])
    assert pinned == [("org/data", "hf:org/data@c1")]
    # printf '{"text":"a"}\n{"text":"b"}\n{"text":"c"}\n' | sha256sum
    assert data.fingerprint == "ec1b810639a44092c2165e20128b9ad9779df30e2473a8bfa164a57fd8fea3fd"


async def test_a_pinned_hub_dataset_is_read_at_that_commit_and_pinned_no_more(data_hub):
    again = []
    pins = {"org/data#s": "hf:org/data@c1#s"}
    data = await resolver_of(data_hub, pins, again).dataset("org/data#s")
    assert (list(data.train.rows), data.test, again) == (ROWS, None, [])
    with pytest.raises(NotFound, match="no such revision"):
        await resolver_of(data_hub, {"org/data": "hf:org/data@gone"}, []).dataset("org/data")


@pytest.mark.parametrize(
    ("splits", "train", "test"),
    [
        (["train"], "train", None),
        (["train", "validation"], "train", "validation"),
        (["validation", "test", "train"], "train", "test"),
        (["train", "test_sft", "test_gen"], "train", "test_gen"),
        (["train_sft", "test_sft"], "train_sft", "test_sft"),
        (["train", "train_extra"], "train", None),
        (["test"], None, "test"),
        (["train_a", "train_b", "validation"], None, "validation"),
    ],
)
async def test_splits_are_taken_by_their_names(splits, train, test):
    hub = MemoryHub()
    hub.put_dataset("org/data", {None: {name: [{"text": name}] for name in splits}}, "c1")
    data = await resolver_of(hub, {}, []).dataset("org/data")
    assert [
        next(iter(split.rows))["text"] if split else None for split in (data.train, data.test)
    ] == [
        train,
        test,
    ]


async def test_splits_that_mean_nothing_here_are_listed():
    hub = MemoryHub()
    hub.put_dataset("org/data", {None: {"dev": ROWS, "extra": ROWS}}, "c1")
    with pytest.raises(RefError, match=r"hf:org/data has no split to train on .* has dev, extra"):
        await resolver_of(hub, {}, []).dataset("org/data")


async def test_a_dataset_without_rows_is_refused():
    hub = MemoryHub()
    hub.put_dataset("org/data", {None: {"train": []}}, "c1")
    with pytest.raises(RefError, match="dataset org/data has no rows"):
        await resolver_of(hub, {}, []).dataset("org/data")


async def test_a_run_is_no_dataset(data_hub):
    with pytest.raises(RefError, match="what a run makes is a model and no dataset"):
        await resolver_of(data_hub, {}, []).dataset("run:01abc")


async def test_a_long_pass_says_how_far_it_is_and_can_be_stopped(resolve, tmp_path, monkeypatch):
    monkeypatch.setattr("kitchen_core.slices.SLICE_S", 0.0)  # a row a slice
    ref = f"file:{jsonl(tmp_path / 'a.jsonl', *['{}'] * 5)}"
    resolver, found = resolve()
    told = []
    await resolver.dataset(ref, between=told.append)
    assert told == [1, 2, 3, 4, 5, 5]
    found.clear()

    def stop(done):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await resolver.dataset(ref, between=stop)
    assert found == []
