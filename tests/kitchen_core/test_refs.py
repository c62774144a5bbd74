from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core import builtin
from kitchen_core.adapters.local_files import LocalFiles
from kitchen_core.adapters.memory import MemoryHub
from kitchen_core.ports.sources import StoredModel
from kitchen_core.refs import Ref, RefError, Resolver, absolute, parse_ref
from kitchen_core.train.ports.errors import NotFound

FORMS = {
    "builtin:tiny": Ref("builtin", "tiny"),
    "hf:org/name": Ref("hf", "org/name"),
    "hf:org/name@v1": Ref("hf", "org/name", "v1"),
    "org/name": Ref("hf", "org/name"),
    "org/name@main": Ref("hf", "org/name", "main"),
    "file:/data/a b.jsonl": Ref("file", "/data/a b.jsonl"),
    "./a.jsonl": Ref("file", "./a.jsonl"),
    "../a.jsonl": Ref("file", "../a.jsonl"),
    "/a@b.jsonl": Ref("file", "/a@b.jsonl"),
    "~/model": Ref("file", "~/model"),
    "run:01abc": Ref("run", "01abc"),
    "run:sl_basic@latest": Ref("run", "sl_basic", "latest"),
    "model:mine@3": Ref("model", "mine", "3"),
    "artifact:ff00": Ref("artifact", "ff00"),
}


@pytest.mark.parametrize("text", FORMS)
def test_every_form_is_read(text):
    assert parse_ref(text) == FORMS[text]


@pytest.mark.parametrize("text", ["", "word", "run:", "s3:bucket", ":x", "http://x"])
def test_what_is_no_ref_is_refused_with_the_forms_there_are(text):
    with pytest.raises(RefError, match="hf:ORG/NAME"):
        parse_ref(text)


@given(st.sampled_from(sorted(FORMS)))
def test_a_ref_written_out_reads_back(text):
    ref = parse_ref(text)
    assert parse_ref(str(ref)) == ref


def test_a_local_path_is_made_absolute_where_it_was_typed(tmp_path):
    assert absolute("./a.jsonl", tmp_path) == f"file:{tmp_path}/a.jsonl"
    assert absolute("builtin:tiny", tmp_path) == "builtin:tiny"


def test_a_bare_file_name_is_the_file_that_lies_here(tmp_path):
    (tmp_path / "chat.jsonl").touch()
    assert absolute("chat.jsonl", tmp_path) == f"file:{tmp_path}/chat.jsonl"
    with pytest.raises(RefError, match="is not a ref"):
        absolute("other.jsonl", tmp_path)


def test_a_bare_name_that_exists_here_as_a_folder_is_not_guessed_at(tmp_path):
    (tmp_path / "org" / "name").mkdir(parents=True)
    with pytest.raises(RefError, match=r"write \./org/name or hf:org/name"):
        absolute("org/name", tmp_path)
    assert absolute("hf:org/name", tmp_path) == "hf:org/name"


@pytest.fixture
def resolve():
    def make(pins=None):
        found = []
        resolver = Resolver(
            builtins=builtin,
            stored=None,  # type: ignore[arg-type]  # no ref of these tests leads to the store
            reader=LocalFiles,
            hub=MemoryHub,
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
    assert data.test
    assert len(data.train) > len(data.test)


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
        hub=lambda: hub,
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
