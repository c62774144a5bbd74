"""What a reinforcement run can be told, and which of it goes together."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, model_validator

from kitchen_core.config import MixedSet, setting
from kitchen_core.train.environments import environment_names
from kitchen_core.train.naming import nearest
from kitchen_core.train.rl.advantages import Advantage
from kitchen_core.train.rl.normalization import Normalization
from kitchen_core.train.rl.policy_loss import CLIPPING, CLIPS, PolicyLoss, clip_bounds
from kitchen_core.workflows.training import TrainingConfig, with_renderers


def _known(name: str) -> str:
    if name not in environment_names():
        known = environment_names()
        raise ValueError(f"one of {', '.join(known)}{nearest(name, known)}")
    return name


def _with_environments(schema: dict[str, Any]) -> None:
    """Name the renderers and the environments in the JSON schema; a recipe may have registered some."""
    with_renderers(schema)
    schema["properties"]["env"]["enum"] = list(environment_names())


EnvironmentName = Annotated[str, AfterValidator(_known)]


class MixedProblems(MixedSet):
    """Problems mixed in beside the main ones. env: their environment; left out: that of the dataset."""

    env: EnvironmentName | None = setting(None, "The environment of these problems")


class ReinforcementConfig(TrainingConfig):
    """What a reinforcement run can be told."""

    model_config = ConfigDict(json_schema_extra=_with_environments)

    dataset: str = setting("builtin:math", "The problems, as a ref", ref="dataset")
    mix: dict[str, MixedProblems] = setting(  # type: ignore[assignment]  # a mapping is invariant
        {},
        "Other problems mixed in: a ref and its share, in problems for each one of `dataset`",
        ref="dataset",
    )
    env: EnvironmentName = setting(
        "math", "What an answer is worth: the environment of the problems"
    )
    reward_weights: dict[str, float] = setting(
        {}, "Weights of the parts of the reward by name, over the environment's own"
    )
    groups_per_batch: int = setting(16, "Problems in one step", unit="problems", ge=1)
    group_size: int = setting(8, "Episodes of each problem", unit="episodes", ge=1)
    num_substeps: int = setting(1, "Optimizer steps that a batch is split into", ge=1)
    max_turns: int = setting(8, "Answers in one episode at most", unit="answers", ge=1)
    loss: PolicyLoss = setting(
        "importance_sampling",
        "How a step follows the advantages; stable_reinforce is the Tinker service's own",
    )
    clip_low: float | None = setting(
        None,
        "Lower bound of the ratio; left out: the loss's own (ppo 0.8, cispo 0, gspo 0.9997)",
        ge=0,
    )
    clip_high: float | None = setting(
        None,
        "Upper bound of the ratio; left out: the loss's own (ppo 1.2, cispo 4, gspo 1.0004)",
        gt=0,
    )
    dro_beta: float | None = setting(
        None, "How much dro holds the policy to its sampler; left out: 0.01", ge=0, le=100
    )
    advantage: Advantage = setting(
        "group_mean", "What a reward is compared with; group_std also divides by the spread"
    )
    gae_lambda: float = setting(0.95, "How far gae looks ahead, in turns", ge=0, le=1)
    discount: float = setting(1.0, "What a reward a turn later is worth, for gae", ge=0, le=1)
    normalization: Normalization = setting(
        "sum", "How token losses add up: sum (as Tinker), a mean by grpo, dapo or dr_grpo"
    )
    kl_penalty_coef: float = setting(
        0.0, "Weight of the distance from the reference, taken off the advantages", ge=0, le=100
    )
    kl_discount_factor: float = setting(
        0.0, "How far back a later token's distance counts; 0: not at all", ge=0, le=1
    )
    kl_reference: str | None = setting(
        None, "The model that the policy is held against; left out: the model itself", ref="model"
    )
    remove_constant_groups: bool = setting(
        True, "Leave out problems all of whose episodes earned the same"
    )
    resample_rounds: int = setting(
        0,
        "Rounds of further problems sampled in place of those left out",
        unit="rounds",
        ge=0,
        le=100,
    )
    max_steps_off_policy: int = setting(
        0, "Steps that the weights which sample may be behind; 0: none", unit="steps", ge=0, le=1000
    )
    off_policy: Literal["auto", "exact", "free"] = setting(
        "auto",
        "exact: always as far behind as allowed, the same bytes from the same seed; free: whenever "
        "there is time; auto: exact on a CPU or where deterministic is set",
    )
    max_length: int = setting(
        1024,
        "An episode ends when it is this long, prompts and answers together",
        unit="tokens",
        ge=2,
    )
    eval_samples: int = setting(
        200, "Held-out problems to answer when measuring", unit="problems", ge=0
    )
    best_metric: str = setting(
        "test/env/all/reward/total",
        "The metric that early_stopping_patience and keep_best go by, one that evaluations measure",
    )

    @model_validator(mode="after")
    def _clips_are_used(self) -> Self:
        given = {"clip_low": self.clip_low, "clip_high": self.clip_high}
        for name, value in given.items():
            if value is not None and self.loss not in CLIPPING:
                raise ValueError(
                    f"{name}={value:g} bounds the ratio, but loss={self.loss} does not clip; leave it "
                    f"out, or use {', '.join(CLIPPING)}"
                )
            if value is None and self.loss in CLIPPING and self.loss not in CLIPS:
                raise ValueError(f"loss={self.loss} has no bounds of its own; give {name}")
        low, high = clip_bounds(self.loss, self.clip_low, self.clip_high)
        if low >= high:
            raise ValueError(
                f"the ratio is clipped to clip_low={low:g} and clip_high={high:g}, expected the first "
                "below the second"
            )
        return self

    @model_validator(mode="after")
    def _beta_is_used(self) -> Self:
        if self.dro_beta is not None and self.loss != "dro":
            raise ValueError(
                f"dro_beta={self.dro_beta:g} is for loss=dro, but loss={self.loss}; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _episodes_can_be_compared(self) -> Self:
        if self.group_size < 2:
            raise ValueError(
                f"group_size={self.group_size}: an advantage ({self.advantage}) holds the episodes of a "
                "problem against each other, so it takes at least 2"
            )
        if not self.temperature:
            raise ValueError(
                "temperature=0 gives every episode of a problem the same answer, so none is better; "
                "use 1"
            )
        return self

    @model_validator(mode="after")
    def _there_is_a_datum_for_each_substep(self) -> Self:
        episodes = self.groups_per_batch * self.group_size
        if self.num_substeps > episodes:
            raise ValueError(
                f"num_substeps={self.num_substeps}, but a batch has {episodes} episodes "
                f"(groups_per_batch={self.groups_per_batch} of group_size={self.group_size})"
            )
        return self

    @model_validator(mode="after")
    def _no_setting_is_idle(self) -> Self:
        """A setting that the others leave without effect is refused, rather than ignored."""
        for name, needs, used in self._depends():
            if self.is_changed(name) and not used:
                raise ValueError(
                    f"{name}={getattr(self, name)} has no effect without {needs}; set that, or leave "
                    f"{name} out"
                )
        return self

    def _depends(self) -> tuple[tuple[str, str, bool], ...]:
        """What each setting needs to have an effect, and whether that is so."""
        gae, penalty = self.advantage == "gae", self.kl_penalty_coef > 0
        return (
            ("gae_lambda", "advantage=gae", gae),
            ("discount", "advantage=gae", gae),
            ("kl_discount_factor", "kl_penalty_coef", penalty),
            ("kl_reference", "kl_penalty_coef", penalty),
            ("resample_rounds", "remove_constant_groups", self.remove_constant_groups),
            ("off_policy", "max_steps_off_policy", self.max_steps_off_policy > 0),
        )

    @model_validator(mode="after")
    def _free_running_is_not_deterministic(self) -> Self:
        if self.off_policy == "free" and self.deterministic:
            raise ValueError(
                "off_policy=free samples whenever there is time, which deterministic=true rules out; "
                "use exact"
            )
        return self

    @model_validator(mode="after")
    def _measuring_asks_something(self) -> Self:
        if self.eval_every and not self.eval_samples:
            raise ValueError(
                f"eval_every={self.eval_every} measures by asking, but eval_samples=0 asks nothing; "
                "set eval_samples, or eval_every=0"
            )
        return self
