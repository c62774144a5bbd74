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
from kitchen_daemon.models.recipes import RecipeDetail, RecipeSummary
from kitchen_daemon.models.rendering import (
    RenderedMix,
    RenderedRows,
    RenderedSegment,
    RenderedSequence,
    Rendering,
    RenderRequest,
)
from kitchen_daemon.models.runs import ArtifactInfo, ProgressInfo, RunInfo, StreamItem
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
    "GOOD",
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
    "FileProgress",
    "HubModelInfo",
    "Launch",
    "Lineage",
    "LineageEdge",
    "LineageNode",
    "Model",
    "OptionInfo",
    "Plan",
    "PortState",
    "PortUse",
    "Problem",
    "ProgressInfo",
    "PullRequest",
    "PushRequest",
    "RecipeDetail",
    "RecipeSummary",
    "RenderRequest",
    "RenderedMix",
    "RenderedRows",
    "RenderedSegment",
    "RenderedSequence",
    "Rendering",
    "RunInfo",
    "StreamItem",
    "TransferItem",
    "Transferred",
    "UploadInfo",
    "UploadPlan",
    "UploadRequest",
]
