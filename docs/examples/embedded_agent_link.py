"""A switch that serves customers by itself, and takes hand-offs from agents over the agent link alone.

twistd -ny docs/examples/embedded_agent_link.py
python docs/examples/embedded_agent_link.py
python docs/examples/hand_over.py survey 13800138000 language=en

There is no IVR link: the survey runs in this process. The environment may name another endpoint: AGENT_LISTEN.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.application.app import startApplication
from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver
from zope.interface import implementer

from ctiex import Condition, Exchange, Fields, Identity, Role, Status, parse_configuration
from ctiex.interfaces import BaseSignalling, ISignalling, Offer, SignallingContext
from ctiex.messages import ServiceEvent

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

SURVEY = Identity("survey", Role.SERVICE, services=frozenset({"survey"}))
"""Under whose name this process serves the calls."""


@implementer(ISignalling)
class SwitchSignalling(BaseSignalling):
    """Transfers customers by the switch, serves them there, and reports what came of it."""

    sees_return = True

    def __init__(self, switch: Switch, context: SignallingContext) -> None:
        self._switch = switch
        self._listener = context.listener
        self._waiting: set[str] = set()
        self._transfers: dict[str, Deferred[None]] = {}

    def offer(self, offer: Offer) -> None:
        """Begin the transfer, as soon as it is kept that the customer goes."""
        self._waiting.add(offer.serial)
        self._listener.offered(offer.serial, None, lambda: self._begin(offer))

    def _begin(self, offer: Offer) -> None:
        if offer.serial not in self._waiting:
            return  # withdrawn
        self._waiting.remove(offer.serial)
        transfer = self._transfers[offer.serial] = ensureDeferred(self._serve(offer))
        transfer.addErrback(self._not_served, offer.serial)
        transfer.addBoth(lambda _: self._transfers.pop(offer.serial, None))

    def withdraw(self, serial: str) -> int:
        """Leave the customer where they are: the call has ended."""
        self._waiting.discard(serial)
        transfer = self._transfers.pop(serial, None)
        if transfer is None:
            return Status.SERVICE_UNREACHABLE
        transfer.cancel()
        return Status.TIMED_OUT

    async def _serve(self, offer: Offer) -> None:
        processing = exchange.processing
        await self._switch.transfer(offer.calling_number, offer.connection.access_code)
        self._listener.accepted(offer.serial)
        fields = processing.fields(SURVEY, offer.serial)
        score = await self._switch.ask_for_score(offer.calling_number, fields.text("language", "en"))
        result = ServiceEvent(1, offer.serial, "", Condition.COMPLETED, Fields({"score": score}))
        processing.report(SURVEY, result, lambda reply: log.info("reported: {reply}", reply=reply))
        await self._switch.bring_back(offer.calling_number)
        self._listener.returned(offer.serial)

    def _not_served(self, failure: Any, serial: str) -> None:
        if not failure.check(CancelledError):
            log.failure("call {serial} was not served", failure, serial=serial)
            self._listener.unreachable(serial, Status.SERVICE_UNREACHABLE)


# ---------------------------------------------------------------- the agent link, put together

configuration = parse_configuration(
    {
        "links": {
            "agent": {"listen": os.environ.get("AGENT_LISTEN", "tcp:7300:interface=127.0.0.1")},
            "ivr": {"listen": ""},
        },
        "services": {"survey": {"access_code": "7300", "signalling": "switch"}},
        "identities": {"desk": {"role": "agent", "secret": "desk-secret", "agents": ["1000-1999"]}},
    }
)
switch = Switch(reactor)
exchange = Exchange(configuration, reactor, {"switch": lambda context: SwitchSignalling(switch, context)})

application = Application("switch")
exchange.setServiceParent(application)

if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    startApplication(application, False)
    reactor.run()
