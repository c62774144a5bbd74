"""What the SDK raises, in our words."""

from __future__ import annotations

import httpx
import pytest
import tinker

from kitchen_core.adapters.tinker.failures import is_lost, translate
from kitchen_core.train.ports.errors import (
    AuthError,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unavailable,
    Unsupported,
)


def answered(status: int, detail: object = "no", **headers: str) -> tinker.APIStatusError:
    request = httpx.Request("POST", "http://tinker/api/v1/forward_backward")
    response = httpx.Response(status, request=request, headers=headers)
    return tinker.APIStatusError("Error code", response=response, body={"detail": detail})


UNKNOWN_LOSS = [{"loc": ["body", "loss_fn"], "msg": "Input should be 'ppo'", "input": "gspo"}]


@pytest.mark.parametrize(
    ("status", "detail", "kind", "said"),
    [
        (401, "no", AuthError, "refused the key"),
        (402, "no", AuthError, "used up"),
        (403, "no", AuthError, "refused the key"),
        (404, "no", NotFound, "no such thing"),
        (422, "rank 99", InvalidRequest, "rank 99"),
        (422, UNKNOWN_LOSS, Unsupported, "loss_fn: Input should be 'ppo'"),
        (400, "loss_fn 'x' is not one of ['ppo']", Unsupported, "does not know this loss"),
        (503, "no", Unavailable, "503"),
    ],
)
def test_an_answer_becomes_one_of_the_family_with_a_hint(status, detail, kind, said):
    error = translate(answered(status, detail))
    assert type(error) is kind
    assert said in str(error)
    assert error.hint


def test_a_limit_says_when_to_ask_again():
    error = translate(answered(429, **{"retry-after": "2.5"}))
    assert isinstance(error, RateLimited)
    assert error.retry_after == 2.5


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (answered(400, "no"), False),
        (answered(422, "no"), False),
        (answered(404), True),
        (answered(410), True),
        (answered(500), True),
        (RuntimeError("A previous request failed; this TrainingClient is poisoned"), True),
        (RuntimeError("something else"), False),
        (None, False),
    ],
)
def test_a_lost_model_is_told_from_a_request_that_was_refused(error, lost):
    assert is_lost(error) is lost


def test_a_server_that_was_restarted_says_that_the_model_is_not_loaded():
    answer = answered(400)
    refused = tinker.APIStatusError(
        "Error code: 400 - {'detail': 'Model model_1 not loaded'}",
        response=answer.response,
        body=None,
    )
    wrapped = ValueError("Error retrieving result")
    wrapped.__cause__ = refused
    assert is_lost(wrapped)
