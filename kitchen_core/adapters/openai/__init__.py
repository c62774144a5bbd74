"""OpenAI's chat completions, or another server that speaks them."""

from __future__ import annotations

from collections.abc import Mapping

from kitchen_core.train.ports.adapter import Adapter
from kitchen_core.train.ports.llm import LlmClient

KEY = "OPENAI_API_KEY"


def _connect(
    secrets: Mapping[str, str],
    base_url: str | None = None,
    organization: str | None = None,
    project: str | None = None,
    concurrency: int = 8,
    timeout_s: float = 120.0,
) -> LlmClient:
    from kitchen_core.adapters.openai.chat import OpenAIChat

    return OpenAIChat(
        secrets.get(KEY) or None,
        base_url=base_url,
        organization=organization,
        project=project,
        concurrency=concurrency,
        timeout_s=timeout_s,
    )


adapter = Adapter(
    name="openai",
    summary="Chat models of OpenAI, or of another server that speaks its API",
    ports={"llm": _connect},
    optional_secrets=(KEY,),
    offline=False,
    options={
        "base_url": "The server's address, such as http://127.0.0.1:8000/v1; left out: OpenAI's own",
        "organization": "OpenAI's organization that pays",
        "project": "OpenAI's project that pays",
        "concurrency": "Conversations asked about at the same time",
        "timeout_s": "Seconds to wait for one answer",
    },
)
