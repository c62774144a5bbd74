"""What goes over the socket. Shared by the daemon, its client, the command line and the screens."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kitchen_core.telemetry.schema import Event, MetricPoint, RunError, RunStatus


class Model(BaseModel):
    """The base of all API models: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Launch(Model):
    """A run to be queued.

    recipe: a name or the absolute path of a file. overrides: `{dotted.key: text or value}`, refs to
    files absolute. adapters: on top of the manifest, of a `port` its adapter, of a `port.option` that
    option's value as text. after: runs to wait for. Higher priority runs first.
    """

    recipe: str
    preset: str | None = None
    overrides: dict[str, Any] = Field(default_factory=dict)
    manifest: str = "dev"
    adapters: dict[str, str] = Field(default_factory=dict)
    name: str | None = Field(default=None, max_length=80)
    after: list[str] = Field(default_factory=list)
    priority: int = Field(default=0, ge=-1000, le=1000)

    @field_validator("name")
    @classmethod
    def _can_be_named(cls, name: str | None) -> str | None:
        if name is not None and (not name.strip() or "/" in name):
            raise ValueError("a name of some letters, without a slash")
        return name


class Plan(Model):
    """What a launch would do: the answer to a dry run. adapters: of a `port` its adapter, of a
    `port.option` that option's value.
    """

    recipe: str
    description: str
    workflow: str
    preset: str | None
    manifest: str
    config: dict[str, Any]
    config_hash: str
    recipe_revision: str
    pins: dict[str, str]
    adapters: dict[str, Any]
    after: list[str]
    drawing: list[str]


class RenderRequest(Model):
    """Rows to be shown as a launch would train on them; nothing is queued."""

    launch: Launch
    rows: int = Field(default=5, ge=1, le=1000)


class RenderedSegment(Model):
    """Neighbouring tokens that are all trained, or all not. tokens: how many."""

    text: str
    trained: bool
    tokens: int


class RenderedSequence(Model):
    """One sequence to train on: a row gives one, or one for each trained turn, or two of a pair.

    side: of a pair, chosen or rejected; else empty. num_tokens: those that are read,
    num_loss_tokens: those that are trained, num_cut: those beyond max_length. A sequence with nothing
    to train is left out of the run, and the other side of its pair with it.

    asked: it is a prompt: nothing of it is trained, but what is answered to it; side teacher: what the
    teacher alone reads. expected: the right answer, as far as the data says. fits: whether the prompt
    leaves room for an answer; else it is left out of the run.
    """

    where: str
    side: str = ""
    segments: list[RenderedSegment]
    num_tokens: int
    num_loss_tokens: int
    num_cut: int
    asked: bool = False
    expected: str = ""
    fits: bool = True


class RenderedRows(Model):
    """The first rows of a dataset as a run would train on them.

    num_rows: of the rows shown. total_rows: of the data that they are the first of. refusal: what a
    run would end with if all rows were like these; empty where it would not.
    """

    dataset: str
    schema_name: str
    num_rows: int
    total_rows: int
    sequences: list[RenderedSequence]
    refusal: str = ""


class RenderedMix(RenderedRows):
    """Rows that are mixed in: `share` of them for each one of the dataset."""

    share: float


class Rendering(RenderedRows):
    """A launch's dataset, and what is mixed into it, as a run would train on them."""

    recipe: str
    model: str
    renderer: str
    train_on: str
    max_length: int
    mixed: list[RenderedMix] = Field(default_factory=list)


class ProgressInfo(Model):
    """Steps done, steps in all, seconds left."""

    step: int = 0
    total_steps: int | None = None
    eta_s: float | None = None


class ArtifactInfo(Model):
    """A file or tree that a run made. path: where it lies on this machine."""

    sha256: str
    name: str
    kind: Literal["file", "tree"]
    size_bytes: int
    path: str
    step: int | None
    created_at: float


class RunInfo(Model):
    """Everything about a run but its events and series. Times are seconds since the epoch."""

    id: str
    name: str | None
    recipe: str
    workflow: str
    status: RunStatus
    reason: str | None
    preset: str | None
    manifest: str
    adapters: dict[str, str]
    seed: int
    config: dict[str, Any]
    config_hash: str
    recipe_revision: str
    pins: dict[str, str]
    attempt: int
    priority: int
    after: list[str]
    retry_of: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    progress: ProgressInfo
    metrics: dict[str, float | None]
    error: RunError | None
    parents: list[str]
    artifacts: list[ArtifactInfo]


class LineageNode(Model):
    """A run, or content: a dataset, a model, a recipe revision, an artifact."""

    id: str
    kind: str
    name: str
    sha256: str | None = None


class LineageEdge(Model):
    """`to` came out of `from`."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    source: str = Field(alias="from")
    target: str = Field(alias="to")
    role: str


class Lineage(Model):
    """Everything upstream and downstream of one node."""

    nodes: list[LineageNode]
    edges: list[LineageEdge]


class RecipeSummary(Model):
    """A recipe as a list shows it. error: why its newest version can't be launched."""

    name: str
    path: str
    description: str = ""
    workflow: str = ""
    presets: list[str] = Field(default_factory=list)
    shipped: bool = False
    error: str | None = None


class RecipeDetail(RecipeSummary):
    """A recipe whole. config_schema: JSON schema of its config, with units and bounds."""

    config: dict[str, Any] = Field(default_factory=dict)
    config_schema: dict[str, Any] = Field(default_factory=dict)
    preset_values: dict[str, dict[str, Any]] = Field(default_factory=dict)
    drawing: list[str] = Field(default_factory=list)
    stages: list[dict[str, Any]] = Field(default_factory=list)
    files: list[str] = Field(default_factory=list)


class DaemonStatus(Model):
    """The daemon, at a glance."""

    version: str
    pid: int
    home: str
    socket: str
    started_at: float
    standby_ready: bool
    running: list[str]
    queued: list[str]
    schema_version: str


class Check(Model):
    """One thing that `kitchen doctor` looked at. optional: nothing is wrong where it is not ok; it only
    can't be used as things are.
    """

    name: str
    ok: bool
    detail: str
    hint: str = ""
    optional: bool = False


class Problem(Model):
    """Why a request was refused: one line, and what to do."""

    message: str
    hint: str = ""


class StreamItem(Model):
    """One item of a live stream.

    Exactly one of the two is set. cursor: the `Last-Event-ID` that continues after it.
    """

    cursor: str
    event: Event | None = None
    metrics: list[MetricPoint] | None = None
