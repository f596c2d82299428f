"""A switch that serves customers by itself, and takes hand-offs from agents over the agent link alone.

twistd -ny docs/examples/embedded_agent_link.py
python docs/examples/embedded_agent_link.py
python docs/examples/hand_over.py survey 13800138000 language=en

There is no IVR link: the survey runs in this process. The environment may name another endpoint: AGENT_LISTEN.
"""

from __future__ import annotations

import os
import secrets
import sys
from typing import Any

from twisted.application.app import startApplication
from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Application, Service
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver
from zope.interface import implementer

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import CallError, Status
from ctiex.fields import Fields
from ctiex.interfaces import Frame, ISignalling, Offer
from ctiex.links.agent import AgentLinkFactory
from ctiex.links.credentials import Credentials, KnownIdentity
from ctiex.links.exchange import LinkSurroundings
from ctiex.links.session import SessionLimits
from ctiex.messages import DEFAULT_MAX_FRAME, KIND_OF, Condition, DataRequest, DataResult, Role, ServiceEvent
from ctiex.processing.counts import Counts
from ctiex.processing.desk import Desk
from ctiex.processing.identities import AgentNumbers, Identity
from ctiex.processing.organizing import RuleOrganizer
from ctiex.processing.service import ProcessingService
from ctiex.processing.sessions import ServiceSessions
from ctiex.processing.settings import Limits, ServiceSettings
from ctiex.processing.surroundings import Surroundings
from ctiex.serials import SerialAllocator
from ctiex.signalling.calling_number import CallingNumberCarrier
from ctiex.stores.memory import MemoryCallStore

log = Logger()

# ---------------------------------------------------------------- what the application had before


class Switch:
    """Stands for the switch: it has the customers' lines in hand, and knows one survey by itself."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    async def transfer(self, number: str, extension: str) -> None:
        """Take a customer away from the agent, to an extension."""
        log.info("{number} goes to {extension}", number=number, extension=extension)
        await deferLater(self._reactor, 0.01)

    async def ask_for_score(self, number: str, language: str) -> int:
        """Ask the customer how they were served; gives the key that they press."""
        log.info("{number} hears the survey in {language}", number=number, language=language)
        await deferLater(self._reactor, 0.01)
        return 5

    async def bring_back(self, number: str) -> None:
        """Give the customer back to the agent."""
        log.info("{number} is back with the agent", number=number)


# ---------------------------------------------------------------- the switch as a signalling driver

DESK = Identity("desk", Role.AGENT, AgentNumbers.parse(["1000-1999"]))
SURVEY = Identity("survey", Role.SERVICE, services=frozenset({"survey"}))
"""Under whose name this process serves the calls."""


@implementer(ISignalling)
class SwitchSignalling:
    """Transfers customers by the switch, serves them there, and reports what came of it."""

    sees_return = True

    def __init__(self, switch: Switch, processing: ProcessingService, codec: BinaryCodec) -> None:
        self._switch = switch
        self._processing = processing
        self._codec = codec
        self._transfers: dict[str, Deferred[None]] = {}

    def offer(self, offer: Offer) -> None:
        """Begin the transfer."""
        self._processing.watcher.offered(offer.serial, None)
        transfer = self._transfers[offer.serial] = ensureDeferred(self._serve(offer))
        transfer.addErrback(self._not_served, offer.serial)
        transfer.addBoth(lambda _: self._transfers.pop(offer.serial, None))

    def withdraw(self, serial: str) -> int:
        """Leave the customer where they are: the call has ended."""
        transfer = self._transfers.pop(serial, None)
        if transfer is None:
            return Status.SERVICE_UNREACHABLE
        transfer.cancel()
        return Status.TIMED_OUT

    async def _serve(self, offer: Offer) -> None:
        number, _ = CallingNumberCarrier().extract(offer.connection.calling_number)
        await self._switch.transfer(number, offer.connection.access_code)
        self._processing.watcher.accepted(offer.serial)
        fields = self._data(offer.serial)
        score = await self._switch.ask_for_score(number, fields.text("language", "en"))
        self._report(offer.serial, Fields({"score": score}))
        await self._switch.bring_back(number)
        self._processing.watcher.returned(offer.serial)

    def _data(self, serial: str) -> Fields:
        body = self._processing.data(SURVEY, DataRequest(serial, ""))
        if isinstance(body, Status):
            raise CallError(body)
        result = self._codec.decode_body(Frame(KIND_OF[DataResult], 0, body))
        assert isinstance(result, DataResult)
        return result.fields

    def _report(self, serial: str, fields: Fields) -> None:
        event = ServiceEvent(1, serial, "", Condition.COMPLETED, fields)
        self._processing.report(SURVEY, event, lambda reply: log.info("reported: {reply}", reply=reply))

    def _not_served(self, failure: Any, serial: str) -> None:
        if not failure.check(CancelledError):
            log.failure("call {serial} was not served", failure, serial=serial)
            self._processing.watcher.unreachable(serial, Status.SERVICE_UNREACHABLE)


# ---------------------------------------------------------------- the agent link, put together


class AgentDesk(Service):
    """What stands behind the agent link; it starts and stops with the application."""

    def __init__(self, reactor: Any, switch: Switch) -> None:
        codec, store, counts, limits = BinaryCodec(), MemoryCallStore(), Counts(), Limits()
        desk = Desk(store, codec, DEFAULT_MAX_FRAME, limits, reactor, counts)
        surroundings = Surroundings(
            clock=reactor,
            store=store,
            desk=desk,
            carrier=CallingNumberCarrier(),
            allocator=SerialAllocator("1", reactor.seconds),
            sessions=ServiceSessions(),
            services={"survey": ServiceSettings("survey", "7300", "switch", RuleOrganizer(), RuleOrganizer())},
            codec=codec,
            max_frame=DEFAULT_MAX_FRAME,
            exchange_address="",
            limits=limits,
            counts=counts,
        )
        self._processing = ProcessingService(surroundings)
        self._signalling = SwitchSignalling(switch, self._processing, codec)
        link = LinkSurroundings(
            clock=reactor,
            codec=codec,
            limits=SessionLimits(),
            credentials=Credentials.on_reactor([KnownIdentity(DESK, "desk-secret")], reactor),
            processing=self._processing,
            new_session_name=lambda: secrets.token_hex(8),
            counts=counts,
        )
        self.links = AgentLinkFactory(link, desk)
        self._reactor = reactor

    def startService(self) -> None:
        """Signal calls from now on."""
        super().startService()
        self._processing.start({"switch": self._signalling})

    def stopService(self) -> Deferred[None]:
        """Take no more calls, and say goodbye to the agents."""
        super().stopService()
        self._processing.drain()
        self.links.going_away()
        gone = self.links.when_empty().addTimeout(5, self._reactor)
        return gone.addBoth(lambda _: self._stopped())

    def _stopped(self) -> None:
        self.links.cut_all()
        self._processing.stop()


application = Application("switch")

agent_desk = AgentDesk(reactor, Switch(reactor))
agent_desk.setServiceParent(application)

agent_endpoint = serverFromString(reactor, os.environ.get("AGENT_LISTEN", "tcp:7300:interface=127.0.0.1"))
StreamServerEndpointService(agent_endpoint, agent_desk.links).setServiceParent(application)

if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    startApplication(application, False)
    reactor.run()
