"""An exchange with a simulated telephone platform: for whoever writes a desk, and has no telephones at hand.

python docs/examples/practice_exchange.py
python docs/examples/desk.py

Customers call the queue "sales", one after the other, and hang up after a while. The agents' phones pick up by
themselves what they are called for by order: calls that they make, consultations, supervision. Everything else waits
for a desk. The environment may name another endpoint, and how it goes: AGENT_LISTEN, CUSTOMERS_EVERY, HANG_UP_AFTER.
"""

from __future__ import annotations

import os
import sys
from itertools import count

from twisted.application.app import startApplication
from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.task import LoopingCall
from twisted.logger import globalLogBeginner, textFileLogObserver
from zope.interface import implementer

from ctiex import Exchange, Status, parse_configuration
from ctiex.interfaces import BaseSignalling, ISignalling, Offer, SignallingContext
from ctiex.interfaces.call_platform import LegState
from ctiex.testing.simulated_platform.devices import Device, Queue
from ctiex.testing.simulated_platform.platform import SimulatedPlatform

AGENTS = ("1001", "1002", "1003")
OUTSIDE = "0301"

platform = SimulatedPlatform(reactor)
board = platform.board
board.devices = {**{agent: Device(agent) for agent in AGENTS}, OUTSIDE: Device(answers_after=1.0)}
board.queues = {"sales": Queue()}


@implementer(ISignalling)
class PracticeSignalling(BaseSignalling):
    """Brings the platform whose calls are controlled; no service is reached by it."""

    def __init__(self, context: SignallingContext) -> None:
        self._listener = context.listener
        self.call_platform = platform

    def start(self) -> None:
        """The platform is there, and customers call."""
        platform.come()
        customers.start(float(os.environ.get("CUSTOMERS_EVERY", "20")), now=True)
        phones.start(0.2)

    def offer(self, offer: Offer) -> None:
        """There is no service."""
        self._listener.unreachable(offer.serial, Status.SERVICE_UNREACHABLE)


numbers = count(13_800_138_000)


def customer_calls() -> None:
    """Another customer calls, and hangs up after a while."""
    leg = board.calls_in(str(next(numbers)), "sales", queue=True)
    reactor.callLater(float(os.environ.get("HANG_UP_AFTER", "60")), board.hang_up, leg)


def phones_pick_up() -> None:
    """What was called by order, and not for a customer, answers."""
    for leg in list(board.legs.all()):
        if leg.state is LegState.ALERTING and leg.agent and not leg.dialled_by:
            board.pick_up(leg)


customers, phones = LoopingCall(customer_calls), LoopingCall(phones_pick_up)

configuration = parse_configuration(
    {
        "links": {
            "agent": {"listen": os.environ.get("AGENT_LISTEN", "tcp:7300:interface=127.0.0.1")},
            "ivr": {"listen": ""},
        },
        "services": {"survey": {"access_code": "7300", "signalling": "practice"}},
        "calls": {
            "queues": ["sales"],
            "not_ready_reasons": ["lunch", "meeting"],
            "wrap_up_codes": ["sold", "not sold"],
        },
        "identities": {
            "desk": {"role": "agent", "secret": "desk-secret", "agents": ["1001-1002"], "may_dial": ["030"]},
            "lead": {"role": "agent", "secret": "lead-secret", "agents": ["1003"], "supervises": ["1001-1002"]},
        },
    }
)
exchange = Exchange(configuration, reactor, {"practice": PracticeSignalling})

application = Application("practice")
exchange.setServiceParent(application)

if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    startApplication(application, False)
    reactor.run()
