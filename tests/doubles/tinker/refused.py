"""The one error of the double: a request that it answers with an HTTP status."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - named by what happens to the request
    """The request can't be served, and why."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
