"""The model hub adapter over real HTTP."""

from __future__ import annotations

from collections import Counter

import httpx2
import pytest
from huggingface_hub.utils import http_backoff
from starlette.responses import Response

from kitchen_core.adapters.hugging_face.access import Access
from kitchen_core.adapters.hugging_face.client import Interrupted, ask_once
from kitchen_core.adapters.hugging_face.models import HuggingFaceModels
from kitchen_core.adapters.hugging_face.snapshots import RECORD
from kitchen_core.train.ports.errors import (
    AuthError,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unavailable,
)
from tests.doubles.hub import rate_limited
from tests.kitchen_core.adapters.hugging_face.conftest import COMMIT


async def test_only_the_model_comes_and_no_pickles(connect):
    model = await connect().fetch_model("org/open")
    names = sorted(path.name for path in model.folder.iterdir() if path.name != RECORD)
    assert names == ["chat_template.jinja", "config.json", "model.safetensors", "tokenizer.json"]


async def test_a_commit_that_is_here_needs_no_network(connect, double):
    model = await connect().fetch_model("org/open")
    asked = len(double.requests)
    assert await connect().fetch_model("org/open", model.commit) == model
    assert len(double.requests) == asked


async def test_too_many_requests_say_how_long_to_wait(connect, double):
    double.faults.append(rate_limited(7))
    with pytest.raises(RateLimited) as refused:
        await connect().fetch_model("org/open")
    assert refused.value.retry_after == 7
    assert refused.value.retryable


@pytest.mark.parametrize("where", ["auth-check", "/models/org/open", "/tree/", "/resolve/"])
@pytest.mark.parametrize(("status", "failure"), [(429, RateLimited), (503, Unavailable)])
async def test_the_client_itself_asks_once(connect, double, where, status, failure):
    double.down, double.down_status = where, status
    with pytest.raises(failure) as refused:
        await connect().fetch_model("org/open")
    assert refused.value.retryable
    asked = [request for request in double.requests if where in request]
    assert max(Counter(asked).values()) == 1


def test_the_client_itself_asks_once_where_nobody_listens():
    """The library's own retrying request, as the listing of files uses it."""
    ask_once()
    with pytest.raises(Interrupted) as given_up:
        http_backoff("GET", "http://127.0.0.1:9")
    assert isinstance(given_up.value.__cause__, httpx2.ConnectError)


async def test_a_missing_file_leaves_no_folder_that_looks_complete(connect, double, tmp_path):
    double.withheld.add("model.safetensors")
    with pytest.raises(NotFound, match="a file is missing"):
        await connect().fetch_model("org/open")
    assert not (tmp_path / "kept" / "org" / "open" / ("a" * 40)).exists()
    double.withheld.clear()
    model = await connect().fetch_model("org/open")
    assert (model.folder / "model.safetensors").is_file()


@pytest.mark.parametrize(("status", "failure"), [(503, Unavailable), (403, AuthError)])
async def test_what_an_earlier_attempt_left_does_not_pass_for_the_whole(
    connect, double, kept, status, failure
):
    """The library falls back to files that it finds, and says nothing, when the listing is refused."""
    partial = kept / "org" / "open" / f"{COMMIT}.partial"
    partial.mkdir(parents=True)
    (partial / "config.json").write_text("left over")
    double.down, double.down_status = "/tree/", status
    with pytest.raises(failure):
        await connect().fetch_model("org/open")
    double.down = "never"
    model = await connect().fetch_model("org/open")
    assert (model.folder / "config.json").read_text() == "content of config.json"


@pytest.mark.parametrize("status", [500, 503])
async def test_a_hub_in_trouble_is_unavailable(connect, double, status):
    double.faults.append(Response("", status))
    with pytest.raises(Unavailable, match=str(status)):
        await connect().fetch_model("org/open")


async def test_a_hub_that_is_down_is_unavailable(tmp_path):
    hub = HuggingFaceModels(Access("http://127.0.0.1:9", None, "HF_TOKEN"), tmp_path)
    with pytest.raises(Unavailable) as refused:
        await hub.fetch_model("org/open")
    assert refused.value.retryable
    assert "network" in refused.value.hint


async def test_a_name_that_is_none_is_refused(connect):
    with pytest.raises(InvalidRequest) as refused:
        await connect().fetch_model("not//a name")
    assert "ORG/NAME" in refused.value.hint


async def test_without_weights_nothing_heavy_is_asked_for(connect, double, kept):
    model = await connect().fetch_model("org/open", weights=False)
    names = sorted(path.name for path in model.folder.iterdir() if path.name != RECORD)
    assert names == ["chat_template.jinja", "config.json", "tokenizer.json"]
    assert not any("safetensors" in asked for asked in double.requests)
    assert not (kept / "org" / "open" / COMMIT).exists()
    whole = await connect().fetch_model("org/open")
    assert (whole.folder / "model.safetensors").is_file()


async def test_a_whole_model_that_is_here_is_read_too(connect, double):
    whole = await connect().fetch_model("org/open")
    asked = len(double.requests)
    assert await connect().fetch_model("org/open", COMMIT, weights=False) == whole
    assert len(double.requests) == asked
