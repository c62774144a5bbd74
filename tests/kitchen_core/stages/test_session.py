"""The renderer that the config names, on the in-memory model."""

from __future__ import annotations

import numpy as np
import pytest

from kitchen_core.adapters.memory import MemoryTraining
from kitchen_core.adapters.memory import files as memory_files
from kitchen_core.adapters.memory.tokenizer import VOCAB_SIZE
from kitchen_core.config import ConfigError, with_overrides
from kitchen_core.stages.datums import BuildDatums
from kitchen_core.stages.session import InitSession, InitTokenizer
from kitchen_core.train.renderers import RenderError
from kitchen_core.train.types import ModelSource, SessionSpec
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflows import SupervisedConfig
from tests.kitchen_core.store.support import fresh_store, start
from tests.kitchen_core.workflow.support import context


@pytest.fixture
async def run_context(tmp_path):
    """A run's context for a config's renderer, with a session on a model of bytes."""
    writer = start(fresh_store(tmp_path))
    memory_files.write_model(tmp_path / "model", np.zeros((VOCAB_SIZE, VOCAB_SIZE)))
    source = ModelSource("tiny", tmp_path / "model")
    session = await MemoryTraining().start_session(SessionSpec(source, None, seed=0))

    def make(renderer):
        ctx = context(writer, tmp_path, SupervisedConfig(renderer=renderer))
        StageContext(ctx, InitSession()).state["session"] = session
        return ctx

    yield make
    await session.close()


@pytest.mark.parametrize(("name", "made"), [("auto", "template"), ("role_colon", "role_colon")])
async def test_the_config_names_the_renderer(run_context, name, made):
    ctx = run_context(name)
    await InitTokenizer().run(StageContext(ctx, InitTokenizer()))
    assert StageContext(ctx, BuildDatums()).state["renderer"].name == made


def test_an_unknown_renderer_is_refused_before_anything_is_done():
    with pytest.raises(ConfigError) as refused:
        with_overrides(SupervisedConfig(), {"renderer": "role-colon"})
    assert str(refused.value) == (
        "renderer: given 'role-colon', expected one of auto, template, role_colon, qwen3, "
        "qwen3_instruct, llama3; did you mean 'role_colon'?"
    )


async def test_a_model_without_the_renderer_s_tokens_is_refused(run_context):
    with pytest.raises(RenderError, match="renderer=llama3 needs the tokens"):
        await InitTokenizer().run(StageContext(run_context("llama3"), InitTokenizer()))
