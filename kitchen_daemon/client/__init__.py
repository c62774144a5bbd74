"""The daemon's client library: typed calls over the Unix socket."""

from kitchen_daemon.client.connection import Refused, Unreachable
from kitchen_daemon.client.daemon import DaemonCalls
from kitchen_daemon.client.launching import LaunchCalls
from kitchen_daemon.client.machine import MachineCalls
from kitchen_daemon.client.queue import QueueCalls
from kitchen_daemon.client.runs import RunCalls
from kitchen_daemon.client.schedules import ScheduleCalls
from kitchen_daemon.client.services import ServiceCalls
from kitchen_daemon.client.streams import StreamCalls

__all__ = ["Client", "Refused", "Unreachable"]


class Client(
    DaemonCalls,
    LaunchCalls,
    MachineCalls,
    QueueCalls,
    RunCalls,
    ScheduleCalls,
    ServiceCalls,
    StreamCalls,
):
    """A connection to the daemon of one home. Runs are named by id, unique prefix or name."""
