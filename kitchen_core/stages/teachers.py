"""Who is learnt from: models beside the one in training, that model as it started, or a chat model
behind somebody's API.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from kitchen_core.stages.prompts import PromptBatches
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.distillation import check_tokenization
from kitchen_core.train.distillation.prompts import Prompt
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.llm import LlmClient
from kitchen_core.train.ports.sampling import SamplingClient
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.ports.training import TrainingClient, TrainingSession
from kitchen_core.train.renderers import RenderError, get_renderer
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage

COMPARED = 200
"""Prompts of the dataset whose tokens by teacher and by student are compared."""

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
        """Give back memory and connections."""
        for teacher in self.models:
            await teacher.client.close()
        if self.llm is not None:
            await self.llm.close()


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
        """Give back memory and connections."""
        teachers = ctx.state.get("teachers")
        if teachers is not None:
            await teachers.close()

    async def _load(self, ctx: StageContext, ref: str | None) -> tuple[SamplingClient, str]:
        """A teacher and what it is, by its content."""
        session: TrainingSession = ctx.state["session"]
        if ref is None:
            return session.reference(), session.fingerprint
        resolved = await ctx.wait(ctx.resolver.model(ref, role="teacher"))
        client: TrainingClient = ctx.port("training_client")
        tokenizer = await ctx.wait(client.tokenizer(resolved.source))
        self._check(ctx, ref, tokenizer)
        teacher = await ctx.wait(session.teacher(resolved.source))
        return teacher, resolved.node.sha256 or resolved.node.id

    def _check(self, ctx: StageContext, ref: str, teacher: Tokenizer) -> None:
        """Refuse a teacher that reads other tokens; say where its template would spell otherwise."""
        student = ctx.state["session"].tokenizer
        batches: PromptBatches = ctx.state["batches"]
        prompts = batches.first(COMPARED)
        check_tokenization(ref, teacher, student, _texts(prompts, student))
        if student.fingerprint == teacher.fingerprint:
            return
        for prompt in prompts:
            theirs = _spelled(ctx.config.renderer, teacher, prompt.teacher_asked)
            if theirs != prompt.teacher_tokens:
                own = "not at all" if theirs is None else f"{teacher.decode(theirs)!r}"
                message = (
                    f"the chat template of {ref} is not the student's: it reads "
                    f"{student.decode(prompt.teacher_tokens)!r}, as the student does, where its own "
                    f"would spell {own}; what it thinks of a foreign spelling may mislead"
                )
                ctx.event(EventKind.LOG, level="warning", message=message)
                return


class CloseTeachers(Stage):
    """Give back the teachers' memory and connections: nothing more is learnt."""

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
