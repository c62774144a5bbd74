"""Who answers the prompts of a step: the student, a teacher, or a chat model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from kitchen_core.stages.prompts import PromptBatch
from kitchen_core.stages.teachers import Teachers
from kitchen_core.train import rng
from kitchen_core.train.datums import datum_from_rendered, datum_of_completion
from kitchen_core.train.distillation.lesson import Lesson, why_left_out
from kitchen_core.train.distillation.prompts import Prompt
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.ports.llm import LlmAnswer, LlmClient
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.renderers import Rendered, Renderer
from kitchen_core.train.types import Message, Sample, SamplingParams
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


@dataclass(frozen=True)
class Answered:
    """The answers to a step's prompts, those of one prompt after another. seconds: how long it took."""

    lessons: list[Lesson]
    epoch: int
    seconds: float

    @property
    def learnt_from(self) -> list[Lesson]:
        """The answers that are not left out."""
        return [lesson for lesson in self.lessons if lesson.left_out is None]


class AnswerPrompts(Stage):
    """Let the student answer (on_policy), or a teacher in its place (off_policy)."""

    name = "AnswerPrompts"
    reads = ("session", "renderer", "teachers", "batch")
    writes = MappingProxyType({"answered": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `answered`: Answered. The sampler is that of the weights before the step."""
        batch: PromptBatch = ctx.state["batch"]
        teachers: Teachers = ctx.state["teachers"]
        started = time.perf_counter()
        if ctx.config.mode == "on_policy":
            lessons = await self._by_student(ctx, batch.prompts)
        elif teachers.llm is not None:
            lessons = await self._by_llm(ctx, batch.prompts, teachers.llm, teachers.llm_name)
        else:
            lessons = await self._by_teachers(ctx, batch.prompts, teachers)
        seconds = time.perf_counter() - started
        ctx.state["answered"] = Answered(lessons, batch.epoch, seconds)

    async def _by_student(self, ctx: StageContext, prompts: Sequence[Prompt]) -> list[Lesson]:
        session: TrainingSession = ctx.state["session"]
        groups = await ctx.wait(
            session.sampler("live").sample(
                [prompt.tokens for prompt in prompts],
                _params(ctx, rng.seed_for(ctx.config.seed, "rollout", ctx.step)),
                ctx.config.group_size,
            )
        )
        return [
            _lesson(prompt, sample)
            for prompt, group in zip(prompts, groups, strict=True)
            for sample in group
        ]

    async def _by_teachers(
        self, ctx: StageContext, prompts: Sequence[Prompt], teachers: Teachers
    ) -> list[Lesson]:
        """Each prompt is answered by one teacher, drawn by the teachers' shares."""
        seed, step = ctx.config.seed, ctx.step
        shares = [teacher.share for teacher in teachers]
        drawn = rng.stream(seed, "teacher", step).choice(len(shares), len(prompts), p=shares)
        found: dict[int, list[Lesson]] = {}
        for number, teacher in enumerate(teachers):
            asked = [i for i in range(len(prompts)) if drawn[i] == number]
            if not asked:
                continue
            params = _params(ctx, rng.seed_for(seed, "teacher", step, number))
            tokens = [prompts[i].teacher_tokens for i in asked]
            groups = await ctx.wait(teacher.client.sample(tokens, params, ctx.config.group_size))
            for i, group in zip(asked, groups, strict=True):
                found[i] = [self._taught(ctx, prompts[i], sample, number) for sample in group]
        return [lesson for i in range(len(prompts)) for lesson in found[i]]

    def _taught(self, ctx: StageContext, prompt: Prompt, sample: Sample, teacher: int) -> Lesson:
        renderer: Renderer = ctx.state["renderer"]
        lesson = _lesson(prompt, sample)
        said = renderer.parse(sample.tokens).message
        tokens = len(prompt.tokens) + len(sample.tokens)
        left_out = why_left_out(said, sample.stop_reason, tokens, _reads(ctx))
        return replace(lesson, teacher=teacher, left_out=left_out)

    async def _by_llm(
        self, ctx: StageContext, prompts: Sequence[Prompt], llm: LlmClient, model: str
    ) -> list[Lesson]:
        """What a chat model says, spelled as the student would; its tokens have no logprobs.

        A conversation that it refuses is left out; any other failure is the run's.
        """
        places = asyncio.Semaphore(llm.concurrency)

        async def ask(prompt: Prompt) -> Lesson:
            async with places:
                try:
                    asked = llm.answer(
                        model,
                        prompt.teacher_asked,
                        max_tokens=ctx.config.max_tokens,
                        temperature=ctx.config.temperature,
                    )
                    return self._told(ctx, prompt, await ctx.wait(asked))
                except InvalidRequest as error:
                    refusal = str(error)
                    return Lesson(prompt, [], None, None, left_out="refused", refusal=refusal)

        each = [prompt for prompt in prompts for _ in range(ctx.config.group_size)]
        tasks = [asyncio.ensure_future(ask(prompt)) for prompt in each]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _told(self, ctx: StageContext, prompt: Prompt, answer: LlmAnswer) -> Lesson:
        said = answer.message
        if why_left_out(said, "stop", 0, _reads(ctx)) == "empty":
            return Lesson(prompt, [], None, None, left_out="empty")
        datum = datum_from_rendered(_spelled(ctx.state["renderer"], prompt, said))
        tokens = datum.targets[datum.weights != 0].tolist()
        left_out = why_left_out(said, answer.stop_reason, len(datum) + 1, _reads(ctx))
        return Lesson(prompt, tokens, None, datum, left_out=left_out)


def _lesson(prompt: Prompt, sample: Sample) -> Lesson:
    datum = datum_of_completion(prompt.tokens, sample.tokens)
    return Lesson(prompt, sample.tokens, sample.logprobs, datum)


def _spelled(renderer: Renderer, prompt: Prompt, said: Message) -> Rendered:
    whole = replace(prompt.asked, messages=(*prompt.asked.messages, said))
    return renderer.supervised(whole, "last_assistant_message")


def _reads(ctx: StageContext) -> int:
    """The most tokens that the student reads."""
    session: TrainingSession = ctx.state["session"]
    return session.context_length


def _params(ctx: StageContext, seed: int) -> SamplingParams:
    renderer: Renderer = ctx.state["renderer"]
    return SamplingParams(
        max_tokens=ctx.config.max_tokens,
        temperature=ctx.config.temperature,
        seed=seed,
        stop=renderer.stop.tokens,
        stop_texts=renderer.stop.texts,
    )
