"""What every training session makes of a loss, whichever backend is behind it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kitchen_core.train.ports.errors import InvalidRequest, Unsupported
from kitchen_core.train.types import AdamParams, Datum, LossSpec
from tests.contracts.data import DATUMS, make_datum, negative_sum

CROSS_ENTROPY = LossSpec()
STEP = AdamParams(learning_rate=1e-3)


async def score(session) -> np.ndarray:
    return np.concatenate((await session.forward(DATUMS, CROSS_ENTROPY)).logprobs)


class TestCustomLoss:
    @pytest.mark.parametrize("micro_batch_tokens", [2, 8])
    async def test_that_is_cross_entropy_trains_as_cross_entropy(self, start, micro_batch_tokens):
        custom, named = await start(micro_batch_tokens=micro_batch_tokens), await start()
        for _ in range(3):
            custom.forward_backward_custom(DATUMS, negative_sum)
            named.forward_backward(DATUMS, CROSS_ENTROPY)
            norms = [(await s.optim_step(STEP)).metrics["grad_norm"] for s in (custom, named)]
            assert norms[0] == pytest.approx(norms[1], rel=1e-4)
        np.testing.assert_allclose(await score(custom), await score(named), atol=1e-3)

    async def test_returns_its_loss_and_its_own_metrics(self, session):
        expected = await session.forward(DATUMS, CROSS_ENTROPY)
        result = await session.forward_backward_custom(DATUMS, negative_sum)
        assert result.metrics["loss"] == pytest.approx(expected.metrics["loss"], rel=1e-5)
        assert result.metrics["seen"] == 5.0
        for datum, one, other in zip(DATUMS, result.logprobs, expected.logprobs, strict=True):
            counted = datum.weights != 0
            np.testing.assert_allclose(one[counted], other[counted], atol=1e-5)

    @pytest.mark.parametrize("micro_batch_tokens", [2, 8])
    async def test_sees_nothing_of_what_has_no_weight(self, start, micro_batch_tokens):
        session = await start(micro_batch_tokens=micro_batch_tokens)
        silent = make_datum("never mind me", weights=[0.0] * 12)
        seen = {}

        def everything(datums, logprobs):
            seen["rows"] = [row.detach().numpy() for row in logprobs]
            return -sum(row.sum() for row in logprobs), {}

        batch = [*DATUMS, silent]
        await session.forward_backward_custom(batch, everything)
        for datum, row in zip(batch, seen["rows"], strict=True):
            np.testing.assert_array_equal(row != 0, datum.weights != 0)
        norm = (await session.optim_step(STEP)).metrics["grad_norm"]
        named = await start()
        ones = [replace(d, weights=(d.weights != 0).astype(np.float32)) for d in DATUMS]
        named.forward_backward(ones, CROSS_ENTROPY)
        expected = (await named.optim_step(STEP)).metrics["grad_norm"]
        assert norm == pytest.approx(expected, rel=1e-4)

    async def test_of_a_batch_without_weight_has_a_gradient_of_zeros(self, session):
        silent = make_datum("never mind me", weights=[0.0] * 12)
        result = await session.forward_backward_custom([silent], negative_sum)
        assert result.metrics["loss"] == 0
        assert (await session.optim_step(STEP)).metrics["grad_norm"] == 0

    async def test_that_fails_fails_its_own_call_only(self, session):
        def broken(datums, logprobs):
            raise KeyError("beta")

        with pytest.raises(InvalidRequest, match="KeyError") as refused:
            await session.forward_backward_custom(DATUMS, broken)
        assert refused.value.hint
        await session.forward_backward(DATUMS, CROSS_ENTROPY)
        assert (await session.optim_step(STEP)).version == 1

    async def test_without_a_gradient_is_refused(self, session):
        with pytest.raises(InvalidRequest, match="requires_grad=False"):
            await session.forward_backward_custom(DATUMS, lambda d, lp: (torch.tensor(1.0), {}))


CLIPS = {"clip_low": 0.8, "clip_high": 1.2}
LOSSES = {
    "importance_sampling": {},
    "ppo": CLIPS,
    "cispo": {"clip_low": 0.0, "clip_high": 1.1},
    "dro": {"beta": 0.3},
    "gspo": {"clip_low": 0.9, "clip_high": 1.1},
    "reinforce": {},
}


def policy_loss(name, options, datum, logprobs) -> torch.Tensor:
    """The losses of one datum once more, from their formulae."""
    w, q, a = (
        torch.from_numpy(array)[datum.weights != 0]
        for array in (datum.weights, datum.extra["logprobs"], datum.extra["advantages"])
    )
    lp = logprobs[datum.weights != 0]
    r = (lp - q).exp()
    low, high = options.get("clip_low"), options.get("clip_high")
    if name == "gspo":
        r = (lp - q).mean().exp()
    match name:
        case "importance_sampling":
            return -(w * r * a).sum()
        case "ppo" | "gspo":
            return -(w * torch.minimum(r * a, r.clip(low, high) * a)).sum()
        case "cispo":
            return -(w * r.clip(low, high).detach() * lp * a).sum()
        case "dro":
            return -(w * (lp * a - options["beta"] / 2 * (lp - q) ** 2)).sum()
        case "reinforce":
            return -(w * lp * a).sum()
    raise ValueError(name)


async def sampled_datums(session) -> list[Datum]:
    """Datums whose sampler was not quite the model: ratios between e**-0.4 and e**0.4. What has no
    weight holds nothing that could be computed with.
    """
    random = np.random.default_rng(5)
    scored = (await session.forward(DATUMS, CROSS_ENTROPY)).logprobs

    def extra(datum, row):
        gap, advantages = random.uniform(-0.4, 0.4, len(row)), random.normal(size=len(row))
        values = {"logprobs": row + gap, "advantages": advantages}
        return {
            k: np.where(datum.weights != 0, v, np.nan).astype(np.float32) for k, v in values.items()
        }

    return [replace(d, extra=extra(d, row)) for d, row in zip(DATUMS, scored, strict=True)]


class TestPolicyLoss:
    @pytest.mark.parametrize(("name", "options"), LOSSES.items())
    async def test_is_its_formula_and_so_is_its_gradient(self, start, name, options):
        named, custom = await start(), await start()
        datums = await sampled_datums(named)

        def by_formula(datums, logprobs):
            rows = zip(datums, logprobs, strict=True)
            return sum(policy_loss(name, options, d, row) for d, row in rows), {}

        spec = LossSpec(name, options)
        silent = (await named.forward(datums, spec)).metrics
        found = (await named.forward_backward(datums, spec)).metrics
        expected = (await custom.forward_backward_custom(datums, by_formula)).metrics
        assert found["loss"] == pytest.approx(expected["loss"], rel=1e-4, abs=1e-4)
        assert silent["loss"] == pytest.approx(found["loss"], rel=1e-4, abs=1e-4)
        norms = [(await s.optim_step(STEP)).metrics["grad_norm"] for s in (named, custom)]
        assert norms[0] == pytest.approx(norms[1], rel=1e-4)
        np.testing.assert_allclose(await score(named), await score(custom), atol=1e-3)

    @pytest.mark.usefixtures("computes_here")
    @pytest.mark.parametrize(("name", "options"), LOSSES.items())
    async def test_has_the_same_gradient_for_any_micro_batch_tokens(self, start, name, options):
        norms = []
        for micro_batch_tokens in (1, 9, 100):
            session = await start(micro_batch_tokens=micro_batch_tokens)
            datums = await sampled_datums(session)
            session.forward_backward(datums, LossSpec(name, options))
            norms.append((await session.optim_step(STEP)).metrics["grad_norm"])
        assert norms == pytest.approx([norms[0]] * 3, rel=1e-4)

    async def test_tells_which_share_of_the_tokens_is_outside_the_bounds(self, session):
        datums = await sampled_datums(session)
        scored = (await session.forward(datums, CROSS_ENTROPY)).logprobs
        counted = np.concatenate([d.weights != 0 for d in datums])
        ratios = np.exp(
            np.concatenate(
                [row - d.extra["logprobs"] for d, row in zip(datums, scored, strict=True)]
            )
        )[counted]
        expected = np.mean((ratios < 0.8) | (ratios > 1.2))
        assert 0 < expected < 1
        for compute in (session.forward, session.forward_backward):
            metrics = (await compute(datums, LossSpec("ppo", CLIPS))).metrics
            assert metrics["clip_fraction"] == pytest.approx(expected)
        unclipped = await session.forward(datums, LossSpec("importance_sampling"))
        assert "clip_fraction" not in unclipped.metrics

    @pytest.mark.parametrize(("name", "options"), LOSSES.items())
    async def test_of_a_batch_without_weight_is_nothing(self, session, name, options):
        datums = await sampled_datums(session)
        silent = [replace(d, weights=np.zeros_like(d.weights)) for d in datums]
        for compute in (session.forward, session.forward_backward):
            metrics = (await compute(silent, LossSpec(name, options))).metrics
            assert metrics["loss"] == 0
            assert metrics.get("clip_fraction", 0) == 0
        assert (await session.optim_step(STEP)).metrics["grad_norm"] == 0


def softened(datum: Datum) -> Datum:
    """Two targets a token: the datum's own with three quarters of the weight, and another."""
    others = (datum.targets + 1) % 256
    targets = np.stack([datum.targets, others], axis=-1)
    weights = np.stack([datum.weights * 0.75, datum.weights * 0.25], axis=-1)
    return replace(datum, targets=targets, weights=weights.astype(np.float32))


SOFT = [softened(datum) for datum in DATUMS]


class TestSoftTargets:
    async def test_are_the_weighted_sum_of_single_ones(self, start):
        soft, hard = await start(), await start()
        other = [replace(d, targets=(d.targets + 1) % 256) for d in DATUMS]
        for share, datums in ((0.75, DATUMS), (0.25, other)):
            weighed = [replace(d, weights=d.weights * np.float32(share)) for d in datums]
            hard.forward_backward(weighed, CROSS_ENTROPY)
        both = [(await hard.forward(datums, CROSS_ENTROPY)) for datums in (DATUMS, other)]
        loss = 0.75 * both[0].metrics["loss"] + 0.25 * both[1].metrics["loss"]
        result = await soft.forward_backward(SOFT, CROSS_ENTROPY)
        assert result.metrics["loss"] == pytest.approx(loss, rel=1e-5)
        assert (await soft.forward(SOFT, CROSS_ENTROPY)).metrics["loss"] == pytest.approx(loss)
        norms = [(await s.optim_step(STEP)).metrics["grad_norm"] for s in (soft, hard)]
        assert norms[0] == pytest.approx(norms[1], rel=1e-4)

    async def test_have_a_logprob_each(self, session):
        singles = (await session.forward(DATUMS, CROSS_ENTROPY)).logprobs
        for compute in (session.forward, session.forward_backward):
            found = (await compute(SOFT, CROSS_ENTROPY)).logprobs
            for datum, rows, single in zip(DATUMS, found, singles, strict=True):
                assert rows.shape == (len(datum), 2)
                counted = datum.counted
                np.testing.assert_allclose(rows[counted, 0], single[counted], atol=1e-4)

    async def test_need_not_all_have_a_weight(self, session):
        weights = np.array([[0, 1], [0, 0], [1, 0]], np.float32)
        targets = np.array([[5, 6], [7, 8], [9, 10]])
        datum = Datum(np.arange(3), targets, weights)
        assert datum.num_loss_tokens == 2
        result = await session.forward_backward([datum], CROSS_ENTROPY)
        [row] = result.logprobs
        assert result.metrics["loss"] == pytest.approx(-row[0, 1] - row[2, 0], rel=1e-5)

    async def test_are_for_cross_entropy_alone(self, session):
        extra = {"advantages": np.zeros(8, np.float32)}
        refused = [
            session.forward([replace(SOFT[0], extra=extra)], LossSpec("reinforce")),
            session.forward_backward_custom(SOFT, negative_sum),
        ]
        if session.has_divergence:
            prompts = [[1]] * 5
            refused.append(
                session.forward_backward_divergence(
                    SOFT, session.reference(), prompts, "reverse_kl"
                )
            )
        for handle in refused:
            with pytest.raises(InvalidRequest, match="datum 0 has 2 targets a token") as error:
                await handle
            assert "cross_entropy" in error.value.hint

    @pytest.mark.parametrize(
        ("datums", "what"),
        [
            ([SOFT[0], DATUMS[1]], "1 and 2 targets a token"),
            (
                [replace(SOFT[0], weights=DATUMS[0].weights)],
                r"shape \(8, 2\) and weights of shape \(8,",
            ),
            ([replace(SOFT[0], targets=np.zeros((8, 0), int), weights=np.zeros((8, 0)))], "shape"),
        ],
    )
    async def test_are_as_many_everywhere(self, session, datums, what):
        with pytest.raises(InvalidRequest, match=what) as refused:
            await session.forward_backward(datums, CROSS_ENTROPY)
        assert refused.value.hint


class TestRefusals:
    @pytest.mark.parametrize(
        ("spec", "what"),
        [
            (LossSpec(options={"clip": 1.0}), "cross_entropy has no option 'clip'"),
            (
                LossSpec("importance_sampling", CLIPS),
                "importance_sampling has no option 'clip_low'",
            ),
            (LossSpec("reinforce", CLIPS), "reinforce has no option 'clip_low'"),
            (LossSpec("ppo", {"clip_lo": 0.8, "clip_high": 1.2}), "did you mean 'clip_low'"),
            (LossSpec("ppo"), "ppo needs clip_low and clip_high"),
            (LossSpec("cispo", {"clip_high": 4.0}), "cispo needs clip_low"),
            (LossSpec("dro"), "dro needs beta"),
            (LossSpec("dro", {"beta": -1.0}), "dro has beta -1.0"),
            (
                LossSpec("gspo", {"clip_low": 1.2, "clip_high": 0.8}),
                "clip_low 1.2 and clip_high 0.8",
            ),
            (LossSpec("ppo", {"clip_low": -0.1, "clip_high": 2.0}), "clip_low -0.1"),
            (LossSpec("ppo", {"clip_low": 0.0, "clip_high": float("nan")}), "clip_high nan"),
            (LossSpec("ppo", {"clip_low": 0.0, "clip_high": float("inf")}), "clip_high inf"),
        ],
    )
    async def test_of_options_name_the_option(self, session, spec, what):
        with pytest.raises(InvalidRequest, match=what) as refused:
            await session.forward_backward(DATUMS, spec)
        assert refused.value.hint

    @pytest.mark.parametrize(
        ("extra", "what"),
        [
            ({}, "has no 'logprobs', which ppo reads"),
            ({"logprobs": np.zeros(5)}, "has no 'advantages', which ppo reads"),
            ({"logprobs": np.zeros(4)}, "has 5 tokens and 'logprobs' of shape"),
            ({"logprobs": np.full(5, np.nan)}, "'logprobs' that is not finite"),
            (
                {"logprobs": np.zeros(5), "advantages": np.full(5, np.inf)},
                "'advantages' that is not",
            ),
        ],
    )
    async def test_of_what_a_loss_reads_name_it(self, session, extra, what):
        whole = {"logprobs": np.zeros(5, np.float32), "advantages": np.zeros(5, np.float32)}
        datums = [
            replace(make_datum("before"), extra=whole),
            replace(make_datum("behind"), extra=extra),
        ]
        with pytest.raises(InvalidRequest, match=f"datum 1 .*{what}") as refused:
            await session.forward_backward(datums, LossSpec("ppo", CLIPS))
        assert refused.value.hint

    async def test_an_unknown_loss_is_unsupported(self, session):
        with pytest.raises(Unsupported, match="hinge"):
            await session.forward(DATUMS, LossSpec("hinge"))  # type: ignore[arg-type]
        with pytest.raises(Unsupported, match="did you mean 'reinforce'"):
            await session.forward(DATUMS, LossSpec("reinforced"))  # type: ignore[arg-type]
