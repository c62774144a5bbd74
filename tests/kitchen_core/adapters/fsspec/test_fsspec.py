"""Blobs at an address: what is told where it fails, by real servers on loopback, and where keys go."""

import importlib.util
import logging
import socket

import pytest

from kitchen_core.adapters.fsspec import adapter
from kitchen_core.adapters.fsspec.address import Address
from kitchen_core.adapters.fsspec.blobs import FsspecBlobs
from kitchen_core.adapters.manifest import ManifestError, resolve_manifest
from kitchen_core.train.ports.errors import (
    AuthError,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unavailable,
    Unsupported,
)
from tests.doubles.hub import HubDouble, rate_limited, serve

ABSENT = "0" * 64
PLANTED = "hf_planted"
HF = {"HF_TOKEN": PLANTED}


def hub_blobs(endpoint: str) -> FsspecBlobs:
    return FsspecBlobs(Address("hf://datasets/org/kept", {"endpoint": endpoint}, HF))


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (401, AuthError, False),
        (403, AuthError, False),
        (404, NotFound, False),
        (400, InvalidRequest, False),
        (429, RateLimited, True),
        (500, Unavailable, True),
        (503, Unavailable, True),
    ],
)
async def test_an_answer_that_refuses_is_told_in_our_words(status, kind, retryable, caplog):
    caplog.set_level(logging.DEBUG)
    with serve(HubDouble(down="/", down_status=status)) as hub, pytest.raises(kind) as refused:
        await hub_blobs(hub.endpoint).has(ABSENT)
    error = refused.value
    assert type(error) is kind
    assert error.retryable is retryable
    assert (error.port, error.adapter) == ("blob_store", "fsspec")
    assert error.hint
    assert PLANTED not in f"{error} {error.hint}" + caplog.text


async def test_the_seconds_that_a_server_asks_for_are_kept():
    with serve(HubDouble(faults=[rate_limited(17)])) as hub, pytest.raises(RateLimited) as refused:
        await hub_blobs(hub.endpoint).has(ABSENT)
    assert refused.value.retry_after == 17


async def test_a_refused_key_names_the_secret_to_set():
    with serve(HubDouble(down="/", down_status=401)) as hub, pytest.raises(AuthError) as refused:
        await hub_blobs(hub.endpoint).has(ABSENT)
    assert refused.value.hint == "Set HF_TOKEN."


async def test_a_server_that_is_not_there_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(Unavailable) as refused:
        await hub_blobs(f"http://127.0.0.1:{port}").has(ABSENT)
    assert "hf://datasets/org/kept" in str(refused.value)


@pytest.mark.skipif(importlib.util.find_spec("paramiko") is not None, reason="it is installed")
async def test_a_missing_library_is_named_with_what_brings_it():
    with pytest.raises(Unsupported, match=r"sftp:// is not installed") as refused:
        await FsspecBlobs(Address("sftp://server/kept", {}, {})).has(ABSENT)
    assert refused.value.hint == "pip install 'paramiko'"


@pytest.mark.parametrize("url", ["nonsense://x", "simplecache::s3://x"])
async def test_an_address_that_leads_nowhere_is_refused(url):
    with pytest.raises(InvalidRequest) as refused:
        await FsspecBlobs(Address(url, {}, {})).has(ABSENT)
    assert refused.value.hint


def test_an_address_is_shown_without_password_and_signature():
    shown = {
        "sftp://me:secret@server:22/kept/": "sftp://me@server:22/kept",
        "https://server/kept?signature=secret": "https://server/kept",
        "s3://bucket/kept": "s3://bucket/kept",
        "/mnt/second": "/mnt/second",
    }
    for url, place in shown.items():
        assert Address(url, {}, {}).place == place


def test_keys_are_taken_out_of_what_others_say():
    address = Address("s3://b/k", {}, {"AWS_SECRET_ACCESS_KEY": "planted"})
    assert address.redacted("bad key 'planted'") == "bad key '***'"
    assert "planted" not in repr(address)


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ('url = "s3://b"\n[ports.blob_store.options]\nkey = "planted"', "options.key"),
        (
            'url = "s3://b"\n[ports.blob_store.options.client_kwargs]\naws_secret_access_key = "planted"',
            "options.client_kwargs.aws_secret_access_key",
        ),
        ('url = "sftp://me:planted@server/kept"', "url"),
    ],
)
def test_a_key_in_a_manifest_is_refused_and_told_where_it_belongs(tmp_path, lines, named):
    path = tmp_path / "mine.toml"
    path.write_text(f'[ports.blob_store]\nadapter = "fsspec"\n{lines}\n')
    with pytest.raises(ManifestError, match=rf"blob_store: {named} looks like a key") as refused:
        resolve_manifest(str(path), {}, tmp_path)
    assert "secrets.env" in str(refused.value)
    assert "planted" not in str(refused.value)


def test_names_of_files_and_of_the_environment_are_no_keys(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[ports.model_hub]\nadapter = "hugging_face"\ntoken_env = "MY_TOKEN"\n'
        '[ports.blob_store]\nadapter = "fsspec"\nurl = "sftp://server/kept"\n'
        '[ports.blob_store.options]\nkey_filename = "~/.ssh/id"\n'
    )
    chosen = resolve_manifest(str(path), {}, tmp_path).ports["blob_store"]
    assert chosen.options["options"] == {"key_filename": "~/.ssh/id"}


def test_every_secret_of_a_place_is_one_that_the_adapter_declares():
    places = ("s3://b", "hf://b", "gs://b", "abfs://b", "sftp://b")
    names = {name for url in places for name in Address(url, {}, {}).key_names}
    assert names == set(adapter.optional_secrets)
