"""Who is learnt from: models beside the one in training, that model as it started, or a chat model
behind somebody's API.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from kitchen_core.stages.datums import warn
from kitchen_core.stages.other_models import (
    COMPARED,
    OtherModel,
    find_model,
    load_beside,
    tokenizer_of,
)
from kitchen_core.stages.prompts import PromptBatches
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.distillation.prompts import Prompt
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.llm import LlmClient
from kitchen_core.train.ports.sampling import SamplingClient
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.renderers import RenderError, get_renderer
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage

_OTHERWISE = ", or let its texts teach: mode=off_policy with llm_teacher"

ITSELF = "the model as it started"


@dataclass(frozen=True)
class Teacher:
    """A model to learn from. share: its part of the teaching; those of all teachers sum to 1."""

    name: str
    client: SamplingClient
    share: float


@dataclass(frozen=True)
class Teachers(Sequence[Teacher]):
    """The models to learn from, none where a chat model `llm` answers under `llm_name` instead.

    fingerprint: SHA-256 over what they are and their shares.
    """

    models: tuple[Teacher, ...]
    fingerprint: str
    llm: LlmClient | None = None
    llm_name: str = ""

    def __len__(self) -> int:
        return len(self.models)

    def __getitem__(self, index: int) -> Teacher:  # type: ignore[override]  # nobody takes a slice
        return self.models[index]

    async def close(self) -> None:
        """Give back the models' memory."""
        for teacher in self.models:
            await teacher.client.close()


class LoadTeacherSampler(Stage):
    """Load the teachers, and see that they read the student's tokens as the student does."""

    name = "LoadTeacherSampler"
    reads = ("session", "batches")
    writes = MappingProxyType({"teachers": Keeping.REBUILT})
    ports = ("training_client", "llm")

    async def run(self, ctx: StageContext) -> None:
        """Writes `teachers`: Teachers. Raises TokenizationDiffers."""
        config = ctx.config
        if config.llm_teacher is not None:
            name = config.llm_teacher
            fingerprint = sha256_of_json(["llm", name])
            ctx.state["teachers"] = Teachers((), fingerprint, ctx.port("llm"), name)
            return
        weights = teacher_weights(config)
        models, hashes = [], []
        for ref, weight in weights.items():
            client, sha256 = await self._load(ctx, ref)
            models.append(Teacher(ref or ITSELF, client, weight / sum(weights.values())))
            hashes.append([sha256, weight])
        ctx.state["teachers"] = Teachers(tuple(models), sha256_of_json(hashes))

    async def rollback(self, ctx: StageContext, error: BaseException) -> None:
        """Give back the models' memory."""
        teachers = ctx.state.get("teachers")
        if teachers is not None:
            await teachers.close()

    async def _load(self, ctx: StageContext, ref: str | None) -> tuple[SamplingClient, str]:
        """A teacher and what it is, by its content."""
        session: TrainingSession = ctx.state["session"]
        if ref is None:
            return session.reference(), session.fingerprint
        model = await find_model(ctx, ref, "teacher")
        batches: PromptBatches = ctx.state["batches"]
        prompts = batches.first(COMPARED)
        texts = _texts(prompts, session.tokenizer)
        teacher = await load_beside(ctx, model, texts, otherwise=_OTHERWISE)
        await self._compare_spelling(ctx, model, prompts)
        return teacher, model.fingerprint

    async def _compare_spelling(
        self, ctx: StageContext, model: OtherModel, prompts: Sequence[Prompt]
    ) -> None:
        """Say where the teacher's own template would spell a prompt otherwise."""
        student = ctx.state["session"].tokenizer
        teacher = await tokenizer_of(ctx, model)
        if student.fingerprint == teacher.fingerprint:
            return
        for prompt in prompts:
            theirs = _spelled(ctx.config.renderer, teacher, prompt.teacher_asked)
            if theirs != prompt.teacher_tokens:
                own = "not at all" if theirs is None else f"{teacher.decode(theirs)!r}"
                warn(
                    ctx,
                    f"the chat template of {model.ref} is not the student's: it reads "
                    f"{student.decode(prompt.teacher_tokens)!r}, as the student does, where its own "
                    f"would spell {own}; what it thinks of a foreign spelling may mislead",
                )
                return


class CloseTeachers(Stage):
    """Give back the teachers' memory: nothing more is learnt."""

    name = "CloseTeachers"
    reads = ("teachers",)

    async def run(self, ctx: StageContext) -> None:
        """Closes `teachers`."""
        await ctx.state["teachers"].close()


def teacher_weights(config: Any) -> Mapping[str | None, float]:
    """Each teacher's weight by its ref; None is the model as it started."""
    return {config.teacher: 1.0, **config.mix_teachers}


def _texts(prompts: Sequence[Prompt], student: Tokenizer) -> Iterator[str]:
    """What the prompts say, turn by turn, and as they are spelled for the student."""
    for prompt in prompts:
        for turn in prompt.teacher_asked.messages:
            yield turn.content
        yield student.decode(prompt.teacher_tokens)


def _spelled(renderer: str, tokenizer: Tokenizer, conversation: Conversation) -> list[int] | None:
    """A prompt as the teacher's own tokenizer spells it; None where it can't."""
    try:
        return get_renderer(renderer, tokenizer).prompt(conversation)
    except RenderError:
        return None
