"""A Twisted application with a status page of its own that also is an exchange.

twistd -ny docs/examples/embedded_exchange.py
python docs/examples/embedded_exchange.py

Then `curl http://127.0.0.1:7380/`. The environment may name other endpoints (AGENT_LISTEN, IVR_LISTEN,
STATUS_LISTEN) and another configuration than own_service.toml (CTIEX_CONFIG).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from twisted.application.app import startApplication
from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from ctiex import Exchange, load_configuration


class StatusPage(Resource):
    """What the application showed before, and the state of its exchange now."""

    isLeaf = True

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange

    def render_GET(self, request: Request) -> bytes:
        """The state as JSON."""
        request.setHeader("content-type", "application/json")
        status = {
            "ready": self._exchange.ready,
            "agents": self._exchange.agents_logged_in,
            "calls_open": self._exchange.processing.calls_open,
            "calls_reported": self._exchange.counters.calls_reported,
        }
        return json.dumps(status).encode() + b"\n"


configuration = load_configuration(
    os.environ.get("CTIEX_CONFIG", str(Path(__file__).with_name("own_service.toml"))),
    os.environ.get("AGENT_LISTEN", "tcp:7300:interface=127.0.0.1"),
    os.environ.get("IVR_LISTEN", "tcp:7301:interface=127.0.0.1"),
)
application = Application("call-centre")

exchange = Exchange(configuration, reactor)
exchange.setServiceParent(application)

status_endpoint = serverFromString(reactor, os.environ.get("STATUS_LISTEN", "tcp:7380:interface=127.0.0.1"))
StreamServerEndpointService(status_endpoint, Site(StatusPage(exchange))).setServiceParent(application)

if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    startApplication(application, False)
    reactor.run()
