"""What every training session does with a teacher, whichever backend is behind it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kitchen_core.train.ports.errors import InvalidRequest, NotFound, PortError, Unsupported
from kitchen_core.train.types import AdamParams, Datum, LossSpec, ModelSource, SamplingParams
from tests.contracts.data import DATUMS, PROMPTS, make_datum

STEP = AdamParams(learning_rate=5e-2)
ALL = 10**6
"""More tokens than any vocabulary here has."""

# What each teacher is told: the datum's own prompt, a longer one, a shorter one, another, a single token.
OWN = [d.tokens[: int(d.counted.argmax()) + 1].tolist() for d in DATUMS]
OTHER = [list(b"Hm, 2 + 2 = "), list(b"a a a"), [116], list(b"n"), list(b"The sum: 2")]
SILENT = make_datum("never mind me", weights=[0.0] * 12)


async def step(session, datums=DATUMS) -> None:
    session.forward_backward(datums, LossSpec())
    await session.optim_step(STEP)


@pytest.fixture
async def other_model(backend, start, tmp_path: Path) -> ModelSource:
    """The backend's model after some training."""
    session = await start()
    for _ in range(4):
        await step(session)
    await session.export(tmp_path / "other")
    source = backend.spec.model
    if backend.spec.lora is None:
        return ModelSource("org/other", tmp_path / "other")
    return replace(source, adapter=tmp_path / "other")


async def distributions(sampler, sequences) -> list[np.ndarray]:
    """The logprobs of every token after each position but the last: `[seq - 1, vocab]`."""
    rows = []
    for top in await sampler.top_logprobs(sequences, ALL):
        by_id = np.argsort(top.tokens, axis=-1)
        rows.append(np.take_along_axis(top.logprobs, by_id, -1).astype(np.float64))
    return rows


def whole(tokens, datum: Datum) -> list[int]:
    """What stands before a datum's last prediction, and one token more."""
    return [*tokens, int(datum.targets[-1])]


async def divergence_by_hand(session, teacher, prompts, divergence) -> float:
    """sum(weights * KL), from the two models' distributions one position at a time."""
    live = session.sampler("live")
    total = 0.0
    for datum, prompt in zip(DATUMS, prompts, strict=True):
        first = int(datum.counted.argmax())
        [ours] = await distributions(live, [whole(datum.tokens, datum)])
        told = [*prompt, *datum.tokens[first + 1 :].tolist()]
        [theirs] = await distributions(teacher, [whole(told, datum)])
        for at in datum.counted.nonzero()[0]:
            p, q = ours[at], theirs[at - first + len(prompt) - 1]
            if divergence == "forward_kl":
                p, q = q, p
            total += float(datum.weights[at]) * float((np.exp(p) * (p - q)).sum())
    return total


class TestTeacher:
    async def test_is_the_model_that_was_asked_for(self, start, other_model):
        teacher = await (await start()).teacher(other_model)
        assert teacher.version == 0
        found = await teacher.compute_logprobs(PROMPTS)
        wanted = await (await start(model=other_model)).sampler("live").compute_logprobs(PROMPTS)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)

    async def test_samples_streams_and_ranks(self, session, other_model):
        teacher = await session.teacher(other_model)
        params = SamplingParams(max_tokens=6, seed=3)
        [[sample]] = await teacher.sample(PROMPTS[:1], params)
        streamed = [token.token async for token in teacher.stream(PROMPTS[0], params)]
        assert streamed == sample.tokens
        [top] = await teacher.top_logprobs(PROMPTS[:1], 3)
        assert top.tokens.shape == (len(PROMPTS[0]) - 1, 3)

    async def test_learns_nothing_from_the_session(self, session, other_model):
        teacher = await session.teacher(other_model)
        before = await teacher.compute_logprobs(PROMPTS)
        await step(session)
        for one, other in zip(before, await teacher.compute_logprobs(PROMPTS), strict=True):
            np.testing.assert_array_equal(one, other)

    async def test_is_loaded_once_until_it_is_closed(self, session, other_model):
        teacher = await session.teacher(other_model)
        assert await session.teacher(other_model) is teacher
        await teacher.close()
        await teacher.close()
        with pytest.raises(PortError, match="closed"):
            await teacher.compute_logprobs(PROMPTS)
        again = await session.teacher(other_model)
        assert len(await again.compute_logprobs(PROMPTS)) == 3

    async def test_goes_with_its_session(self, session, other_model):
        teacher = await session.teacher(other_model)
        await session.close()
        with pytest.raises(PortError, match="closed"):
            await teacher.compute_logprobs(PROMPTS)

    async def test_that_is_not_there_is_named(self, session, tmp_path: Path):
        with pytest.raises(NotFound, match="nowhere"):
            await session.teacher(ModelSource("org/nowhere", tmp_path / "nowhere"))


@pytest.fixture
async def exact(session) -> None:
    """For what is asked of those that compute the divergence only."""
    if not session.has_divergence:
        pytest.skip("there is no divergence here")


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("divergence", ["reverse_kl", "forward_kl"])
class TestDivergence:
    @pytest.mark.parametrize("prompts", [OWN, OTHER])
    async def test_is_the_weighted_sum_of_the_kl(self, session, other_model, divergence, prompts):
        teacher = await session.teacher(other_model)
        result = await session.forward_backward_divergence(DATUMS, teacher, prompts, divergence)
        expected = await divergence_by_hand(session, teacher, prompts, divergence)
        assert expected > 1e-3
        assert result.metrics["loss"] == pytest.approx(expected, rel=1e-3)

    async def test_gives_the_students_logprobs(self, session, other_model, divergence):
        teacher = await session.teacher(other_model)
        result = await session.forward_backward_divergence(DATUMS, teacher, OTHER, divergence)
        scored = await session.forward(DATUMS, LossSpec())
        for datum, one, other in zip(DATUMS, result.logprobs, scored.logprobs, strict=True):
            np.testing.assert_allclose(one[datum.counted], other[datum.counted], atol=1e-4)

    @pytest.mark.parametrize("kind", ["reference", "snapshot"])
    async def test_from_another_version_is_zero_until_the_weights_part(
        self, session, divergence, kind
    ):
        teacher = session.reference() if kind == "reference" else session.sampler("snapshot")

        async def apart() -> float:
            done = session.forward_backward_divergence(DATUMS, teacher, OWN, divergence)
            return (await done).metrics["loss"]

        assert await apart() == pytest.approx(0, abs=1e-3)
        assert (await session.optim_step(AdamParams(0.0))).metrics["grad_norm"] < 1e-2
        await step(session)
        expected = await divergence_by_hand(session, teacher, OWN, divergence)
        assert await apart() == pytest.approx(expected, rel=1e-3)
        assert expected > 1e-3

    async def test_falls_when_it_is_trained_on(self, session, other_model, divergence):
        teacher = await session.teacher(other_model)
        losses = []
        for _ in range(8):
            handle = session.forward_backward_divergence(DATUMS, teacher, OWN, divergence)
            session.optim_step(AdamParams(learning_rate=1e-2))
            losses.append((await handle).metrics["loss"])
        assert losses[-1] < losses[0] / 2

    async def test_has_the_same_gradient_for_any_layout(self, start, other_model, divergence):
        norms = []
        for settings in (
            {"micro_batch_tokens": 1},
            {"micro_batch_tokens": 20},
            {"micro_batch_tokens": 1000},
            {"micro_batch_tokens": 1000, "packing": False},
        ):
            session = await start(**settings)
            teacher = await session.teacher(other_model)
            session.forward_backward_divergence(DATUMS, teacher, OTHER, divergence)
            norms.append((await session.optim_step(STEP)).metrics["grad_norm"])
        assert norms == pytest.approx([norms[0]] * 4, rel=1e-4)

    async def test_of_a_datum_without_weight_is_nothing(self, session, other_model, divergence):
        teacher = await session.teacher(other_model)

        async def found(datums, prompts) -> tuple[float, float]:
            done = session.forward_backward_divergence(datums, teacher, prompts, divergence)
            loss = (await done).metrics["loss"]
            return loss, (await session.optim_step(AdamParams(0.0))).metrics["grad_norm"]

        alone = await found(DATUMS, OTHER)
        assert await found([SILENT, *DATUMS], [[], *OTHER]) == pytest.approx(alone, rel=1e-5)
        assert await found([SILENT], [[]]) == (0, 0)

    async def test_costs_the_teachers_forward_pass_too(self, session, other_model, divergence):
        teacher = await session.teacher(other_model)
        done = session.forward_backward_divergence(DATUMS, teacher, OWN, divergence)
        plain = session.forward_backward(DATUMS, LossSpec())
        both = (await done).metrics["flops"], (await plain).metrics["flops"]
        assert both[1] < both[0] < 1.6 * both[1]


async def test_a_divergence_that_can_not_be_had_is_refused(session):
    if session.has_divergence:
        pytest.skip("it can be had here")
    with pytest.raises(Unsupported) as refused:
        await session.forward_backward_divergence(DATUMS, session.reference(), OWN, "reverse_kl")
    assert refused.value.hint


@pytest.mark.usefixtures("exact")
class TestRefusals:
    async def test_of_a_live_sampler(self, session):
        live = session.sampler("live")
        with pytest.raises(InvalidRequest, match="in training") as refused:
            await session.forward_backward_divergence(DATUMS, live, OWN, "reverse_kl")
        assert "snapshot" in refused.value.hint

    async def test_of_another_sessions_sampler(self, start):
        session, other = await start(), await start()
        with pytest.raises(Unsupported, match="not belong") as refused:
            await session.forward_backward_divergence(DATUMS, other.reference(), OWN, "reverse_kl")
        assert refused.value.hint

    async def test_of_a_closed_snapshot(self, session):
        snapshot = session.sampler("snapshot")
        await snapshot.compute_logprobs(PROMPTS)
        await snapshot.close()
        with pytest.raises(PortError, match="snapshot is closed"):
            await session.forward_backward_divergence(DATUMS, snapshot, OWN, "reverse_kl")

    @pytest.mark.parametrize(
        ("prompts", "divergence", "what"),
        [
            (OWN[:2], "reverse_kl", "2 prompts were given for 5 datums"),
            ([*OWN[:4], []], "reverse_kl", "prompt 4 is empty"),
            ([*OWN[:4], [10**6]], "reverse_kl", "teacher's datum 4 holds the token id 1000000"),
            ([*OWN[:4], [1] * 5000], "reverse_kl", "teacher's datum 4 has 500. tokens"),
            (OWN, "reversed_kl", "did you mean 'reverse_kl'"),
        ],
    )
    async def test_name_what_is_wrong(self, session, prompts, divergence, what):
        with pytest.raises(InvalidRequest, match=what) as refused:
            await session.forward_backward_divergence(
                DATUMS, session.reference(), prompts, divergence
            )
        assert refused.value.hint


async def test_a_teacher_of_another_vocabulary_is_refused_with_both_sizes(
    backend, session, tmp_path
):
    folder = shutil.copytree(backend.spec.model.folder, tmp_path / "larger")
    theirs = enlarge_vocabulary(folder)
    with pytest.raises(Unsupported, match="vocabulary") as refused:
        await session.teacher(replace(backend.spec.model, folder=folder))
    assert str(theirs) in str(refused.value)
    assert str(theirs - 40) in str(refused.value)
    assert refused.value.hint


def enlarge_vocabulary(folder: Path) -> int:
    """Add 40 tokens to a model folder, and say how many it has then."""
    config = json.loads((folder / "config.json").read_text())
    if config["architectures"] == ["Bigram"]:
        from kitchen_core.adapters.memory import files

        size = config["vocab_size"] + 40
        shutil.rmtree(folder)
        files.write_model(folder, np.zeros((size, size)))
        return size
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    size = model.config.vocab_size + 40
    tokenizer.add_tokens([f"<more{n}>" for n in range(size - len(tokenizer))])
    model.resize_token_embeddings(size)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return size
