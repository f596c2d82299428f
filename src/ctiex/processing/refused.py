"""A request that is refused."""

from __future__ import annotations

from ctiex.errors import Status


class Refused(Exception):
    """A request is refused; carries the status and the words for its reply."""

    def __init__(self, status: Status, detail: str = "") -> None:
        self.status = status
        self.detail = detail or status.text
        super().__init__(self.detail)
