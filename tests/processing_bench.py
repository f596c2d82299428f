"""What the tests of calls share: an exchange with one agent and one session of a service."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from zope.interface import implementer

from ctiex.errors import Status
from ctiex.fields import EMPTY, Fields
from ctiex.identities import Identity
from ctiex.interfaces import BaseSignalling, ISignalling, Offer
from ctiex.messages import (
    AgentLogin,
    AgentLoginReply,
    CallQuery,
    CallQueryReply,
    CancelReply,
    CancelRequest,
    Condition,
    ConnectReply,
    ConnectRequest,
    DataRequest,
    ServiceEvent,
    ServiceEventReply,
    UpdateReply,
    UpdateRequest,
)
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeAgentConnection, FakeServiceSession
from ctiex.testing.pairs import MemoryExchange, agents, make_service, services

_AGENTS, _SERVICES, _OTHERS = agents(), services(), services("others")
_BILL = make_service("bill")


class Bench:
    """An exchange with one agent, logged in as ``1001``, and one session of a service."""

    def __init__(
        self, store: CallStore | None = None, clock: Clock | None = None, bound: bool = True, **settings: Any
    ) -> None:
        """:param bound: whether the session of the service is there."""
        self.store = CallStore() if store is None else store
        self.exchange = MemoryExchange(store=self.store, clock=Clock() if clock is None else clock, **settings)
        self.clock = self.exchange.clock
        self.processing = self.exchange.processing
        self.outlet = FakeAgentConnection()
        self.session = FakeServiceSession("services", bound=bound)
        self.login()
        if bound:
            self.exchange.sessions.add(self.session, _SERVICES)

    def login(self, agent: str = "1001", after: int = 0, outlet: FakeAgentConnection | None = None) -> AgentLoginReply:
        """Bring an agent number to a link, which has had its events up to ``after``."""
        login = AgentLogin(agent, self.exchange.mailboxes.epoch, after)
        return self.exchange.mailboxes.login(outlet or self.outlet, login)

    def connect(
        self,
        serial: str = "007",
        agent: str = "1001",
        service: str = "bill",
        number: str = "138",
        fields: Fields = EMPTY,
        outlet: FakeAgentConnection | None = None,
        reference: str = "",
    ) -> list[ConnectReply]:
        """The replies that came so far; later ones are added."""
        replies: list[ConnectReply] = []
        request = ConnectRequest(serial, agent, service, number, reference, fields)
        self.processing.connect(_AGENTS, outlet or self.outlet, request, replies.append)
        return replies

    def status(self, *args: Any, **changes: Any) -> int:
        """The status of the one reply to a ConnectRequest."""
        [reply] = self.connect(*args, **changes)
        return reply.status

    def accepted(self, serial: str = "007") -> None:
        """A call that the service has accepted."""
        assert self.status(serial) == 0
        self.session.accept()

    def data(self, serial: str = "007", who: Identity = _SERVICES, address: str = "") -> bytes | Status:
        answers: list[bytes | Status] = []
        self.ask(serial, answers, who, address)
        return answers[0]

    def ask(
        self, serial: str, answers: list[bytes | Status], who: Identity = _SERVICES, address: str = ""
    ) -> None:  # fmt: skip
        """Ask for a call's data; the answer may take its time."""
        self.processing.data(who, DataRequest(serial, address), answers.append)

    def report(
        self, serial: str = "007", condition: int = 1, event_id: int = 1, who: Identity = _SERVICES, agent: str = "",
        fields: Fields = EMPTY,
    ) -> list[ServiceEventReply]:  # fmt: skip
        replies: list[ServiceEventReply] = []
        event = ServiceEvent(event_id, serial, agent, Condition(condition), fields)
        self.processing.report(who, event, replies.append)
        return replies

    def cancel(self, serial: str = "007", who: Identity = _AGENTS) -> list[CancelReply]:
        replies: list[CancelReply] = []
        self.processing.cancel(who, CancelRequest(serial), replies.append)
        return replies

    def update(self, fields: Fields, serial: str = "007", who: Identity = _AGENTS) -> list[UpdateReply]:
        """The replies that came so far; later ones are added."""
        replies: list[UpdateReply] = []
        self.processing.update(who, UpdateRequest(serial, fields), replies.append)
        return replies

    def open_calls(self, agent: str = "1001", who: Identity = _AGENTS) -> list[CallQueryReply]:
        """The replies that came so far; later ones are added."""
        replies: list[CallQueryReply] = []
        self.processing.query(who, CallQuery(agent), replies.append)
        return replies

    @property
    def heard(self) -> list[int]:
        """The conditions that the agent has heard."""
        return [int(event.condition) for event in self.outlet.events]

    @property
    def last_status(self) -> int:
        return self.outlet.events[-1].status


@implementer(ISignalling)
class _SeeingDriver(BaseSignalling):
    """A driver that sees the customer return; a test tells its watcher so."""

    sees_return = True

    def __init__(self) -> None:
        self.offers: list[Offer] = []
        self.withdrawn: list[str] = []

    def offer(self, offer: Offer) -> None:
        self.offers.append(offer)

    def withdraw(self, serial: str) -> int:
        self.withdrawn.append(serial)
        return Status.TIMED_OUT
