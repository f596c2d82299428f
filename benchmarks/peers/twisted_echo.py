"""The measure of all: a bare Twisted Protocol that answers so many bytes with so many others."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.protocol import Factory, Protocol

from benchmarks.work import ANSWER_SIZE, REQUEST_SIZE

_ANSWER = b"x" * ANSWER_SIZE


class Echo(Protocol):
    """Knows nothing but sizes; the answers of one read go out in one write."""

    _unanswered = 0

    def dataReceived(self, data: bytes) -> None:
        """Answer every request that is complete."""
        size = self._unanswered + len(data)
        self._unanswered = size % REQUEST_SIZE
        assert self.transport is not None
        self.transport.write(_ANSWER * (size // REQUEST_SIZE))


reactor: Any = global_reactor

if __name__ == "__main__":
    reactor.listenTCP(int(sys.argv[1]), Factory.forProtocol(Echo), backlog=4096, interface="127.0.0.1")
    reactor.run()
