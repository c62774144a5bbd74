"""Losses over pairs of answers of which one is preferred.

All read each answer's summed logprob under the policy, and most of them how that differs from the
reference's: the log-ratio, log p(y|x) - log p_ref(y|x). Tensors are `[pairs]`, and so is what a loss
gives: one value a pair, of which the mean is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

PreferenceLoss = Literal["dpo", "ipo", "robust", "hinge", "simpo", "orpo", "kto"]

REFERENCE_FREE: tuple[PreferenceLoss, ...] = ("simpo", "orpo")
"""The losses that look at the policy alone."""

_ALMOST_CERTAIN = -1e-6
"""A mean logprob at which orpo's odds are no longer told apart: those of certainty are infinite."""


@dataclass(frozen=True)
class PairLogprobs:
    """The summed logprobs of both answers of each pair `[pairs]`, and how many tokens they have.

    reference_chosen, reference_rejected: under the reference; a loss without one does not look at them.
    """

    chosen: Tensor
    rejected: Tensor
    reference_chosen: Tensor
    reference_rejected: Tensor
    chosen_tokens: Tensor
    rejected_tokens: Tensor


@dataclass(frozen=True)
class PairScores:
    """What a loss makes of a batch of pairs.

    loss: a scalar, orpo's with its own cross entropy. chosen_rewards, rejected_rewards: `[pairs]`,
    without gradient. chosen_nll: the cross entropy of the chosen answers, nats a token.
    """

    loss: Tensor
    chosen_rewards: Tensor
    rejected_rewards: Tensor
    chosen_nll: Tensor

    def metrics(self, name: str) -> dict[str, float]:
        """By tinker-cookbook's names; the loss is called after its kind, `dpo_loss`."""
        right = self.chosen_rewards > self.rejected_rewards
        return {
            f"{name}_loss": self.loss.item(),
            "accuracy": right.double().mean().item(),
            "margin": (self.chosen_rewards - self.rejected_rewards).mean().item(),
            "chosen_reward": self.chosen_rewards.mean().item(),
            "rejected_reward": self.rejected_rewards.mean().item(),
        }


@dataclass(frozen=True)
class Objective:
    """A preference loss by name, with its settings.

    beta: the scale of the reward. length_normalized: log-ratios are means over an answer's tokens.
    simpo_margin: gamma. sft_coef: weight of the chosen answers' cross entropy beside the loss (as in
    RPO, https://arxiv.org/abs/2404.19733).
    """

    name: PreferenceLoss
    beta: float
    label_smoothing: float = 0.0
    length_normalized: bool = False
    simpo_margin: float = 0.5
    sft_coef: float = 0.0

    def scores(self, pairs: PairLogprobs, kl_baseline: float = 0.0) -> PairScores:
        """Loss and rewards. kl_baseline: kto's, in nats; the others have none."""
        chosen, rejected = self._scored(pairs)
        nll = -pairs.chosen.sum() / pairs.chosen_tokens.sum()
        loss = self._losses(chosen, rejected, kl_baseline).mean()
        return PairScores(
            loss=loss + nll if self.name == "orpo" else loss,
            chosen_rewards=self.beta * chosen.detach(),
            rejected_rewards=self.beta * rejected.detach(),
            chosen_nll=nll,
        )

    def total(self, scores: PairScores) -> Tensor:
        """What is minimised, a scalar."""
        return scores.loss + self.sft_coef * scores.chosen_nll

    def _scored(self, pairs: PairLogprobs) -> tuple[Tensor, Tensor]:
        """What the loss compares of each answer: log-ratios, or mean logprobs where it has no
        reference.
        """
        if self.name in REFERENCE_FREE:
            return pairs.chosen / pairs.chosen_tokens, pairs.rejected / pairs.rejected_tokens
        chosen = pairs.chosen - pairs.reference_chosen
        rejected = pairs.rejected - pairs.reference_rejected
        if self.length_normalized:
            return chosen / pairs.chosen_tokens, rejected / pairs.rejected_tokens
        return chosen, rejected

    def _losses(self, chosen: Tensor, rejected: Tensor, kl_baseline: float) -> Tensor:
        gap = chosen - rejected
        match self.name:
            case "dpo":
                return dpo(gap, self.beta, self.label_smoothing)
            case "ipo":
                return ipo(gap, self.beta)
            case "robust":
                return robust(gap, self.beta, self.label_smoothing)
            case "hinge":
                return hinge(gap, self.beta)
            case "simpo":
                return simpo(gap, self.beta, self.simpo_margin)
            case "orpo":
                return orpo(chosen, rejected, self.beta)
            case "kto":
                return kto(chosen, rejected, self.beta, kl_baseline)


def dpo(gap: Tensor, beta: float, label_smoothing: float = 0.0) -> Tensor:
    """-log sigmoid(beta * gap), gap being the chosen log-ratio less the rejected one.

    Rafailov et al. 2023, https://arxiv.org/abs/2305.18290, eq. 7. label_smoothing: the share e of
    pairs taken to be labelled the wrong way round, conservative DPO: (1 - e) times the loss plus e
    times that of the swapped pair (Mitchell 2023, https://ericmitchell.ai/cdpo.pdf, eq. 3).
    """
    from torch.nn.functional import logsigmoid

    right = -logsigmoid(beta * gap)
    if not label_smoothing:
        return right
    return (1 - label_smoothing) * right - label_smoothing * logsigmoid(-beta * gap)


def ipo(gap: Tensor, beta: float) -> Tensor:
    """(gap - 1 / (2 * beta))^2; beta is the paper's tau.

    Azar et al. 2023, https://arxiv.org/abs/2310.12036, eq. 17. Its authors ran it on means over
    tokens, and so does TRL: `length_normalized`.
    """
    return (gap - 1 / (2 * beta)) ** 2


def robust(gap: Tensor, beta: float, label_smoothing: float) -> Tensor:
    """DPO's loss as it would be without the share e of labels that were flipped, without bias:
    ((1 - e) * loss - e * swapped loss) / (1 - 2 * e).

    Chowdhury et al. 2024, https://arxiv.org/abs/2403.00409, eq. 12.
    """
    flipped = label_smoothing
    return ((1 - flipped) * dpo(gap, beta) - flipped * dpo(-gap, beta)) / (1 - 2 * flipped)


def hinge(gap: Tensor, beta: float) -> Tensor:
    """max(0, 1 - beta * gap).

    SLiC (Zhao et al. 2023, https://arxiv.org/abs/2305.10425) on log-ratios, as in RSO (Liu et al.
    2023, https://arxiv.org/abs/2309.06657, eq. 10).
    """
    return (1 - beta * gap).relu()


def simpo(gap: Tensor, beta: float, margin: float) -> Tensor:
    """-log sigmoid(beta * gap - margin), gap being the difference of mean logprobs a token.

    Meng et al. 2024, https://arxiv.org/abs/2405.14734, eq. 6; margin is its gamma.
    """
    from torch.nn.functional import logsigmoid

    return -logsigmoid(beta * gap - margin)


def orpo(chosen: Tensor, rejected: Tensor, beta: float) -> Tensor:
    """-beta * log sigmoid(log odds of the chosen less those of the rejected), by mean logprobs a
    token; odds are p / (1 - p). The cross entropy of the chosen answers comes with it.

    Hong et al. 2024, https://arxiv.org/abs/2403.07691, eq. 6 and 7; beta is its lambda.
    """
    from torch.nn.functional import logsigmoid

    log_odds = (chosen - log_one_minus_exp(chosen)) - (rejected - log_one_minus_exp(rejected))
    return -beta * logsigmoid(log_odds)


def kto(chosen: Tensor, rejected: Tensor, beta: float, kl_baseline: float) -> Tensor:
    """The mean of 1 - sigmoid(beta * (chosen - z)) and 1 - sigmoid(beta * (z - rejected)), by
    log-ratios; z is `kl_baseline`.

    Ethayarajh et al. 2024, https://arxiv.org/abs/2402.01306, eq. 8, the chosen answer read as
    desirable and the rejected as undesirable, of equal weight.
    """
    desirable = 1 - (beta * (chosen - kl_baseline)).sigmoid()
    undesirable = 1 - (beta * (kl_baseline - rejected)).sigmoid()
    return (desirable + undesirable) / 2


def log_one_minus_exp(x: Tensor) -> Tensor:
    """log(1 - exp(x)) for x < 0, by whichever of two forms is exact there (Mächler 2012)."""
    import torch

    x = x.clamp(max=_ALMOST_CERTAIN)
    near = x > -0.6931471805599453  # log 2
    close = torch.log(-torch.expm1(torch.where(near, x, -0.5)))
    far = torch.log1p(-torch.exp(torch.where(near, -1.0, x)))
    return torch.where(near, close, far)
