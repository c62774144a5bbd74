"""What goes over the socket. Shared by the daemon, its client, the command line and the screens."""

from kitchen_daemon.models.adapters import (
    GOOD,
    AdapterInfo,
    AdaptersInfo,
    BrokenInfo,
    OptionInfo,
    PortState,
    PortUse,
)
from kitchen_daemon.models.base import Model, Problem
from kitchen_daemon.models.checkpoints import CheckpointChange, CheckpointInfo
from kitchen_daemon.models.daemon import Check, DaemonStatus
from kitchen_daemon.models.hub import HubModelInfo, UploadInfo, UploadPlan, UploadRequest
from kitchen_daemon.models.launches import Launch, Plan
from kitchen_daemon.models.lineage import Lineage, LineageEdge, LineageNode
from kitchen_daemon.models.machine import DeviceProcess, GpuInfo, MachineInfo
from kitchen_daemon.models.queue import (
    GroupChange,
    GroupInfo,
    Move,
    QueueInfo,
    QueuePause,
    RunChange,
    RunningInfo,
    WaitCode,
    WaitingInfo,
)
from kitchen_daemon.models.quotes import MemoryPart, Quote, QuoteInfo
from kitchen_daemon.models.recipes import RecipeDetail, RecipeSummary, RevisionInfo
from kitchen_daemon.models.rendering import (
    RenderedMix,
    RenderedRows,
    RenderedSegment,
    RenderedSequence,
    Rendering,
    RenderRequest,
)
from kitchen_daemon.models.runs import (
    FROM_NOW,
    MOST_RUNS,
    ArtifactInfo,
    ProgressInfo,
    RunInfo,
    StreamItem,
)
from kitchen_daemon.models.schedules import (
    NewSchedule,
    NewWindow,
    NightPlan,
    PlannedRun,
    PlannedStretch,
    ScheduleInfo,
    WindowInfo,
)
from kitchen_daemon.models.transfers import (
    Begun,
    BlobChoice,
    FileProgress,
    PullRequest,
    PushRequest,
    TransferItem,
    Transferred,
)

__all__ = [
    "FROM_NOW",
    "GOOD",
    "MOST_RUNS",
    "AdapterInfo",
    "AdaptersInfo",
    "ArtifactInfo",
    "Begun",
    "BlobChoice",
    "BrokenInfo",
    "Check",
    "CheckpointChange",
    "CheckpointInfo",
    "DaemonStatus",
    "DeviceProcess",
    "FileProgress",
    "GpuInfo",
    "GroupChange",
    "GroupInfo",
    "HubModelInfo",
    "Launch",
    "Lineage",
    "LineageEdge",
    "LineageNode",
    "MachineInfo",
    "MemoryPart",
    "Model",
    "Move",
    "NewSchedule",
    "NewWindow",
    "NightPlan",
    "OptionInfo",
    "Plan",
    "PlannedRun",
    "PlannedStretch",
    "PortState",
    "PortUse",
    "Problem",
    "ProgressInfo",
    "PullRequest",
    "PushRequest",
    "QueueInfo",
    "QueuePause",
    "Quote",
    "QuoteInfo",
    "RecipeDetail",
    "RecipeSummary",
    "RenderRequest",
    "RenderedMix",
    "RenderedRows",
    "RenderedSegment",
    "RenderedSequence",
    "Rendering",
    "RevisionInfo",
    "RunChange",
    "RunInfo",
    "RunningInfo",
    "ScheduleInfo",
    "StreamItem",
    "TransferItem",
    "Transferred",
    "UploadInfo",
    "UploadPlan",
    "UploadRequest",
    "WaitCode",
    "WaitingInfo",
    "WindowInfo",
]
