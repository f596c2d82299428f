"""The same work by Twisted's Asynchronous Messaging Protocol."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.protocol import Factory
from twisted.protocols import amp

from benchmarks.peers.calls import stored
from benchmarks.work import GetCall


class Calls(amp.AMP):
    """Answers ``GetCall``."""

    calls: dict[str, dict[str, Any]]

    @GetCall.responder
    def get(self, serial: str) -> dict[str, Any]:
        """The call, as a flat box."""
        call = self.calls[serial]
        return {"status": call["status"], "agent": call["agent"], **call["fields"]}


reactor: Any = global_reactor

if __name__ == "__main__":
    port, Calls.calls = stored()
    reactor.listenTCP(port, Factory.forProtocol(Calls), backlog=4096, interface="127.0.0.1")
    reactor.run()
