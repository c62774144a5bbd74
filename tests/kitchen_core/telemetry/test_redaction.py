"""In place of a key stands its name, however the key is spelled."""

from __future__ import annotations

import io
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.telemetry.redaction import (
    NOTHING_SECRET,
    RedactedStream,
    Redactor,
    is_secret_name,
)

KEY = 'sk-a+b/c="d'
redactor = Redactor({"THE_KEY": KEY, "LONGER": f"{KEY}-and-more", "SHORT": "yes"})


@pytest.mark.parametrize(
    "spelled",
    [
        KEY,
        "sk-a%2Bb%2Fc%3D%22d",
        'sk-a+b/c=\\"d',
        b64encode(KEY.encode()).decode(),
    ],
)
def test_a_key_is_found_in_every_spelling(spelled):
    assert redactor.text(f"Bearer {spelled}!").startswith("Bearer [THE_KEY]")


def test_of_two_keys_the_longer_is_taken_whole():
    assert redactor.text(f"{KEY}-and-more") == "[LONGER]"


def test_what_is_too_short_to_be_a_key_stays():
    assert redactor.text("yes, and yes again") == "yes, and yes again"


def test_json_is_gone_through_whole():
    given_value = {"a": [KEY, {KEY: (1, None, KEY)}], "b": 2.5}
    assert redactor.value(given_value) == {
        "a": ["[THE_KEY]", {"[THE_KEY]": [1, None, "[THE_KEY]"]}],
        "b": 2.5,
    }


def test_where_nothing_is_secret_nothing_is_touched():
    value = {"a": ["b"]}
    assert NOTHING_SECRET.value(value) is value


@given(st.text(min_size=6), st.text(), st.text())
def test_no_key_is_left_in_any_text(key, before, after):
    cleaned = Redactor({"K": key}).text(before + key + after)
    assert key not in cleaned or key in f"{before}[K]{after}"


def test_a_stream_writes_on_without_keys():
    below = io.BytesIO()
    stream = RedactedStream(io.TextIOWrapper(below), redactor.text)
    print("my key is", KEY, file=stream)
    assert below.getvalue() == b"my key is [THE_KEY]\n"


def test_a_file_is_cleaned_in_its_place_whatever_its_bytes(tmp_path):
    log = tmp_path / "attempt-1.log"
    log.write_bytes(b"\xff " + KEY.encode() + b"\r\n")
    redactor.file(log)
    assert log.read_bytes() == b"\xff [THE_KEY]\r\n"
    assert list(tmp_path.iterdir()) == [log]
    redactor.file(tmp_path / "absent.log")


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("OPENAI_API_KEY", True),
        ("HF_TOKEN", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("AWS_ACCESS_KEY_ID", True),
        ("db_password", True),
        ("GOOGLE_APPLICATION_CREDENTIALS", True),
        ("TOKENIZERS_PARALLELISM", False),
        ("KEYBOARD", False),
        ("PATH", False),
    ],
)
def test_keys_are_known_by_their_names(name, secret):
    assert is_secret_name(name) is secret
