import json

from kitchen_daemon.models import MemoryPart, Quote

QUOTE = Quote(
    device="x86_64 CPU, 2 threads",
    memory_bytes=3_000_000_000,
    parts=[
        MemoryPart(name="weights", bytes=2_000_000_000),
        MemoryPart(name="process", bytes=999_000_000),
        MemoryPart(name="logits", bytes=1_000_000),
    ],
    free_bytes=8_000_000_000,
    steps=200,
    seconds_a_step=0.5,
    seconds=130.0,
    energy_j=7200.0,
    basis="formula",
    notes=["time: assumes 45 GFLOP/s"],
)


def test_a_quote_shows_its_parts_and_whether_there_is_room(stub, command):
    stub.answers["POST /quotes"] = QUOTE
    said = command("quote", "sl_basic", "batch_size=4")
    assert said.code == 0
    lines = [line.rstrip() for line in said.out.splitlines()]
    assert "memory  3 GB, fits now: 8 GB free" in lines
    assert "time    2m 10s" in lines
    assert "by      arithmetic alone" in lines
    weights = next(line for line in lines if line.startswith("weights"))
    assert weights.split() == ["weights", "2", "GB", "█" * 20]
    assert any(line.startswith("others") for line in lines)
    assert lines[-1] == "time: assumes 45 GFLOP/s"
    assert stub.bodies("POST /quotes")[0]["overrides"] == {"batch_size": "4"}


def test_a_quote_takes_no_words_for_the_queue(stub, command):
    stub.answers["POST /quotes"] = QUOTE
    said = command("quote", "sl_basic", "--hold")
    assert said.code == 2
    assert "no such option: --hold" in said.err


def test_a_quote_says_what_is_missing(stub, command):
    stub.answers["POST /quotes"] = QUOTE.model_copy(update={"free_bytes": 10**9})
    out = command("quote", "sl_basic").out
    assert "does not fit now: 1 GB free, so it would wait for 2 GB more" in out


def test_what_nobody_can_tell_is_left_out(stub, command):
    nothing = Quote(
        device="CPU", memory_bytes=None, steps=None, seconds_a_step=None, seconds=None,
        energy_j=None, basis="formula", notes=["the model is not here yet"],
    )  # fmt: skip
    stub.answers["POST /quotes"] = nothing
    out = command("quote", "sl_basic").out
    assert out.splitlines() == ["device  CPU", "the model is not here yet"]
    assert json.loads(command("quote", "sl_basic", "--json").out) == nothing.model_dump()
