"""The one error family of every port.

An adapter turns whatever its SDK raises into one of these, so that stages, retries and the screen
need to know one vocabulary only. The message says what was asked and what came back; the hint says
what the user can do.
"""

from __future__ import annotations


class PortError(Exception):
    """A port failed.

    `asked` names the operation in a few words; `hint` tells the user what to do next.
    """

    retryable = False

    def __init__(
        self, message: str, *, port: str = "", adapter: str = "", asked: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.port = port
        self.adapter = adapter
        self.asked = asked
        self.hint = hint

    def __str__(self) -> str:
        where = "/".join(part for part in (self.port, self.adapter) if part)
        asked = f" ({self.asked})" if self.asked else ""
        return f"{where}{asked}: {self.message}" if where or asked else self.message


class AuthError(PortError):
    """The key is missing or was refused."""


class GatedError(AuthError):
    """The key is good, but its owner has not been let in."""


class RateLimited(PortError):  # noqa: N818 - named by the condition, as the other members of the family
    """Too many requests; `retry_after` is in seconds where the other side said."""

    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None, **context: str) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after


class Unavailable(PortError):  # noqa: N818
    """The other side can't be reached or is down."""

    retryable = True


class Timeout(PortError):  # noqa: N818
    """No answer in the time allowed."""

    retryable = True


class InvalidRequest(PortError):  # noqa: N818
    """What was asked can't be right, however often it is asked."""


class NotFound(PortError):  # noqa: N818
    """What was asked for does not exist."""


class Unsupported(PortError):  # noqa: N818
    """This adapter can't do what was asked."""


class StaleSampler(PortError):  # noqa: N818
    """A live sampler was used after an optimizer step; take a new one."""
