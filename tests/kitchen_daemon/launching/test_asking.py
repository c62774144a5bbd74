import pytest

from kitchen_core.config import ConfigError
from kitchen_core.needs import Needs
from kitchen_daemon.launching.asking import MARGIN, needs_by_quote, needs_of
from kitchen_daemon.models import Launch, Quote

GPU = {"device": "cuda", "threads": 1}
CPU = {"device": "cpu", "threads": 2}
GB = 10**9


def quoted(memory_bytes: int | None) -> Quote:
    return Quote(
        device="d",
        memory_bytes=memory_bytes,
        steps=1,
        seconds_a_step=None,
        seconds=None,
        energy_j=None,
        basis="formula",
    )


def test_memory_is_kept_by_the_quote_with_a_margin():
    needs = needs_of(Launch(recipe="r"), CPU, quoted(4 * GB), 16 * GB)
    assert needs == Needs(device="cpu", threads=2, memory_bytes=round(MARGIN * 4 * GB))


def test_a_run_of_unknown_size_asks_for_none():
    assert needs_of(Launch(recipe="r"), CPU, quoted(None), 16 * GB).memory_bytes is None


def test_a_run_that_may_not_fit_is_tried_beside_what_a_system_holds_itself():
    assert needs_of(Launch(recipe="r"), CPU, quoted(40 * GB), 16 * GB).memory_bytes == 12 * GB
    assert needs_of(Launch(recipe="r"), GPU, quoted(40 * GB), 24 * GB).memory_bytes == 21.6 * GB


def test_a_run_that_is_queued_again_needs_what_is_quoted_now():
    before = needs_of(Launch(recipe="r"), CPU, quoted(4 * GB), 16 * GB)
    assert needs_by_quote(before, quoted(2 * GB), 16 * GB).memory_bytes == 2.2 * GB
    assert needs_by_quote(before, quoted(None), 16 * GB).memory_bytes is None


def test_a_run_that_is_queued_again_needs_what_its_user_asked_for():
    before = needs_of(Launch(recipe="r", memory="3GB"), CPU, quoted(4 * GB), 16 * GB)
    assert needs_by_quote(before, quoted(9 * GB), 16 * GB).memory_bytes == 3 * GB


@pytest.mark.parametrize(
    ("text", "memory_bytes", "shares"),
    [
        ("12GB", 12 * GB, True),
        ("500MB", GB // 2, True),
        ("1.5 gib", 3 * 2**29, True),
        ("50%", 8 * GB, True),
        ("all", 16 * GB, False),
    ],
)
def test_memory_of_a_gpu_as_it_is_asked_for(text, memory_bytes, shares):
    needs = needs_of(Launch(recipe="r", memory=text), GPU, quoted(GB), 16 * GB)
    assert (needs.memory_bytes, needs.shares) == (memory_bytes, shares)


@pytest.mark.parametrize("text", ["much", "0GB", "-1GB", "0%", "150%", "17GB", "12"])
def test_memory_that_cannot_be_had_is_refused(text):
    with pytest.raises(ConfigError, match="memory="):
        needs_of(Launch(recipe="r", memory=text), GPU, quoted(GB), 16 * GB)


@pytest.mark.parametrize("asked", [{"gpus": 1}, {"memory": "50%"}])
def test_what_only_a_gpu_has_is_not_asked_of_a_cpu(asked):
    with pytest.raises(ConfigError):
        needs_of(Launch(recipe="r", **asked), CPU, quoted(GB), 16 * GB)
