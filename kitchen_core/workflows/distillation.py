"""Distillation: learn from what another model would say."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import model_validator

from kitchen_core.config import setting
from kitchen_core.stages.best import BeginBest, waited_long
from kitchen_core.stages.data import LoadDataset
from kitchen_core.stages.distillation import (
    AnswerPrompts,
    BuildDistillDatums,
    ForwardBackwardDistill,
    LogDistillation,
    LogDistilled,
)
from kitchen_core.stages.evaluation import Evaluate
from kitchen_core.stages.prompts import BuildPrompts
from kitchen_core.stages.session import InitSession, InitTokenizer
from kitchen_core.stages.teachers import CloseTeachers, LoadTeacherSampler
from kitchen_core.stages.training import OptimStep
from kitchen_core.train.distillation.teacher_prompt import ANSWER, QUESTION
from kitchen_core.train.naming import closest
from kitchen_core.workflow.graph import Workflow, every, loop, stage, when
from kitchen_core.workflows.parts import between_steps, ending, measuring
from kitchen_core.workflows.training import TrainingConfig

_ONLY_IN = {
    "on_policy": ("kl", "kl_penalty_coef", "kl_discount_factor"),
    "off_policy": ("llm_teacher", "top_k_targets"),
}
_WHY = {
    "on_policy": "scores the student's answers",
    "off_policy": "learns the teacher's answers by cross entropy",
}


class DistillationConfig(TrainingConfig):
    """What a distillation run can be told."""

    dataset: str = setting("builtin:prompts", "The prompts, as a ref", ref="dataset")
    teacher: str | None = setting(
        None,
        "The model to learn from, as a ref; none: the model itself as it starts",
        ref="model",
    )
    mix_teachers: dict[str, float] = setting(
        {}, "Other teachers: a ref and its weight, for each 1 of `teacher`", ref="model"
    )
    llm_teacher: str | None = setting(
        None,
        "A model behind the llm port that answers the prompts in the teacher's place",
        port="llm",
    )
    teacher_prompt: str | None = setting(
        None,
        "What the teacher alone reads in place of the question, with {question} and {answer} filled in",
    )
    mode: Literal["on_policy", "off_policy"] = setting(
        "on_policy",
        "on_policy: the student answers and the teacher scores it; off_policy: the teacher answers",
    )
    kl: Literal["auto", "exact", "sampled"] = setting(
        "auto",
        "on_policy: over the whole vocabulary, or at the sampled tokens; auto: exact where it can be",
    )
    kl_penalty_coef: float = setting(1.0, "Weight of the distance from the teacher", gt=0, le=100)
    kl_discount_factor: float = setting(
        0.0, "sampled: how far back a later token's distance counts; 0: not at all", ge=0, le=1
    )
    top_k_targets: int = setting(
        0,
        "off_policy: the teacher's likeliest tokens at each place as targets; 0: what it said",
        ge=0,
    )
    groups_per_batch: int = setting(64, "Prompts in one step", unit="prompts", ge=1)
    group_size: int = setting(1, "Answers to each prompt", unit="answers", ge=1)
    max_length: int = setting(
        1024,
        "An answer ends where prompt and answer are this long; longer prompts are left out",
        unit="tokens",
        ge=2,
    )
    eval_examples: int = setting(
        200, "Held-out answers of the data to measure the loss on", unit="examples", ge=1
    )

    @model_validator(mode="after")
    def _mode_uses_what_is_set(self) -> Self:
        for mode, names in _ONLY_IN.items():
            for name in names:
                if mode != self.mode and self.is_changed(name):
                    raise ValueError(
                        f"{name}={getattr(self, name)} is for mode={mode}, but mode={self.mode} "
                        f"{_WHY[self.mode]}; set mode={mode} or leave {name} out"
                    )
        if self.kl_discount_factor and self.kl != "sampled":
            raise ValueError(
                f"kl_discount_factor={self.kl_discount_factor:g} discounts distances at sampled tokens, "
                f"but kl={self.kl}; set kl=sampled"
            )
        return self

    @model_validator(mode="after")
    def _teachers_fit_together(self) -> Self:
        for ref, weight in self.mix_teachers.items():
            if not weight > 0:
                raise ValueError(f"mix_teachers: {ref} has the weight {weight:g}, expected above 0")
        if self.teacher in self.mix_teachers:
            raise ValueError(f"mix_teachers names {self.teacher}, which is the teacher already")
        if self.llm_teacher is None:
            return self
        for name in ("teacher", "mix_teachers", "top_k_targets"):
            if value := getattr(self, name):
                why = (
                    "gives text without likelihoods; leave it out"
                    if name == "top_k_targets"
                    else f"is the teacher; write {name}={'none' if name == 'teacher' else '{}'}"
                )
                raise ValueError(f"{name}={value}, but llm_teacher={self.llm_teacher} {why}")
        return self

    @model_validator(mode="after")
    def _there_is_something_to_learn(self) -> Self:
        itself = not (self.teacher or self.mix_teachers or self.llm_teacher)
        if itself and (self.teacher_prompt or QUESTION).strip() == QUESTION:
            raise ValueError(
                "no teacher: the model would learn from itself what it says already; set teacher, or a "
                "teacher_prompt that tells it more than the question"
            )
        if self.group_size > 1 and self.temperature == 0:
            raise ValueError(
                f"group_size={self.group_size} asks for several answers, but temperature=0 gives the "
                "same one every time; raise temperature"
            )
        return self

    @model_validator(mode="after")
    def _teacher_prompt_asks(self) -> Self:
        if self.teacher_prompt is None:
            return self
        for name in re.findall(r"\{(\w+)\}", self.teacher_prompt):
            near = closest(name, ("question", "answer"))
            if near and near != name:
                raise ValueError(f"teacher_prompt has {{{name}}}; did you mean {{{near}}}?")
        if QUESTION not in self.teacher_prompt:
            raise ValueError(
                f"teacher_prompt stands in place of the question; say where it goes by {QUESTION}"
                f" (and {ANSWER} for the data's answer)"
            )
        return self


_measure = measuring(Evaluate)

distillation = Workflow(
    name="distillation",
    description="Learn from what a teacher says, or from what it thinks of the student's answers.",
    config=DistillationConfig,
    body=(
        stage(LoadDataset(rows="prompts")),
        stage(InitSession()),
        stage(InitTokenizer()),
        stage(BuildPrompts()),
        stage(LoadTeacherSampler()),
        stage(BeginBest()),
        loop(
            "steps",
            stage(AnswerPrompts()),
            stage(BuildDistillDatums()),
            stage(ForwardBackwardDistill()),
            stage(OptimStep()),
            stage(LogDistillation()),
            when(every("eval_every", at_start=True), stage(LogDistilled())),
            over="batches",
            item="batch",
            between=between_steps(_measure),
            until=waited_long("early_stopping_patience"),
            counts_steps=True,
        ),
        stage(CloseTeachers()),
        *ending(_measure),
    ),
)
