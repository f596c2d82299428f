"""The same work by Klein on twisted.web, as JSON over HTTP, without an access log."""

from __future__ import annotations

import json
from typing import Any

import klein
from twisted.internet import reactor as global_reactor
from twisted.web.server import Site

from benchmarks.peers.calls import stored


class Calls:
    """Answers ``GET /calls/SERIAL``."""

    def __init__(self, calls: dict[str, dict[str, Any]]) -> None:
        self._calls = calls
        self.app = klein.Klein()
        self.app.route("/calls/<serial>")(self.get)

    def get(self, request: Any, serial: str) -> bytes:
        """The call, as JSON."""
        body = json.dumps(self._calls[serial]).encode()
        request.setHeader(b"content-type", b"application/json")
        request.setHeader(b"content-length", b"%d" % len(body))  # else it would be sent in chunks, which cost more
        return body


class QuietSite(Site):
    """Keeps no access log."""

    def log(self, request: object) -> None:
        """Nothing."""


reactor: Any = global_reactor

if __name__ == "__main__":
    port, calls = stored()
    site = QuietSite(Calls(calls).app.resource())
    reactor.listenTCP(port, site, backlog=4096, interface="127.0.0.1")
    reactor.run()
