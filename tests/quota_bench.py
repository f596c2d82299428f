"""An exchange with small limits, whose counts can be held against its store."""

from __future__ import annotations

from collections import Counter
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from ctiex.fields import Fields
from ctiex.limits import Limits
from ctiex.messages import (
    AgentLogin,
    CancelReply,
    CancelRequest,
    Condition,
    ConnectReply,
    ConnectRequest,
    ServiceEvent,
    ServiceEventReply,
)
from ctiex.processing.account import size_of_call, size_of_event
from ctiex.records import CallState
from ctiex.stores.call_store import CallStore
from ctiex.testing.fakes import FakeAgentConnection, FakeServiceSession
from ctiex.testing.pairs import MemoryExchange, agents, make_service, services

_TWO = {"bill": make_service("bill"), "fax": make_service("fax")}
_SERVING = services("services", "bill", "fax")


class Bench:
    """An exchange with a session that serves both services, and the agent numbers of two identities."""

    def __init__(self, store: CallStore | None = None, /, **limits: int) -> None:
        self.exchange = MemoryExchange(
            identities=(agents("north"), agents("south"), _SERVING),
            services=_TWO,
            limits=Limits(**limits),
            store=CallStore() if store is None else store,
        )
        self.outlets = {"north": FakeAgentConnection(), "south": FakeAgentConnection()}
        self.session = FakeServiceSession("services")
        self.exchange.sessions.add(self.session, _SERVING)
        self.last_serial = 0

    def login(self, identity: str, agent: str) -> None:
        if self.exchange.presence.bring(agent, identity):
            self.exchange.mailboxes.login(self.outlets[identity], AgentLogin(agent))

    def logout(self, identity: str, agent: str) -> None:
        self.exchange.presence.logout(agent, self.outlets[identity])

    def connect(
        self, identity: str = "north", agent: str = "1", service: str = "bill", serial: str = "", **changes: Any
    ) -> list[ConnectReply]:
        """The replies so far; later ones are added."""
        self.last_serial += 1
        request = ConnectRequest(serial or str(self.last_serial), agent, service, "138")
        replies: list[ConnectReply] = []
        who = agents(identity)
        self.exchange.processing.connect(who, self.outlets[identity], evolve(request, **changes), replies.append)
        return replies

    def cancel(self, serial: str) -> list[CancelReply]:
        replies: list[CancelReply] = []
        self.exchange.processing.cancel(agents("north"), CancelRequest(serial), replies.append)
        return replies

    def report(self, serial: str, event_id: int, condition: int = 1, fields: int = 0) -> list[ServiceEventReply]:
        replies: list[ServiceEventReply] = []
        values = Fields({f"f{number}": 1 for number in range(fields)})
        event = ServiceEvent(event_id, serial, "", Condition(condition), values)
        self.exchange.processing.report(_SERVING, event, replies.append)
        return replies

    def acknowledge(self, agent: str) -> None:
        """Acknowledge all that was sent, wherever the agent is."""
        mailboxes = self.exchange.mailboxes
        for outlet in self.outlets.values():
            mailboxes.acknowledge(agent, outlet, mailboxes._committed.get(agent, 0))

    def check_books(self, case: SynchronousTestCase) -> None:
        """What is counted is what the store has."""
        calls = list(self.exchange.store.calls())
        open_calls = [call for call in calls if call.state is not CallState.CLOSED]
        held = self.exchange.context.quotas
        case.assertEqual(held.calls_open, len(open_calls))
        for counted, expected in (
            (held._of_identity, [call.identity for call in open_calls]),
            (held._of_service, [call.service for call in open_calls]),
            (held._records, [call.identity for call in calls]),
            (held._of_agent, [call.agent for call in open_calls]),
        ):
            case.assertEqual(+counted, Counter(expected))
            case.assertFalse(any(count < 0 for count in counted.values()))
        opened = self.exchange.processing._calls.open
        case.assertEqual((len(opened), opened.agents), (len(open_calls), len({call.agent for call in open_calls})))
        self.check_bytes(case)

    def check_bytes(self, case: SynchronousTestCase) -> None:
        """Every byte of the store is in the account, of whom it is for; also while it isn't certain to be kept."""
        context, store = self.exchange.context, self.exchange.store
        of_identity: Counter[str] = Counter()
        of_mailbox: Counter[str] = Counter()
        for call in store.calls():
            of_identity[call.identity] += size_of_call(call)
        for agent in store.agents():
            for event in store.events(agent):
                of_mailbox[agent] += size_of_event(event)
                of_identity[context.presence.registered_by(agent)] += size_of_event(event)
        account, reserved = context.account, context.quotas._of_agent
        case.assertEqual((account.of_identity, account.of_mailbox), (of_identity, of_mailbox))
        case.assertEqual(account.in_all, of_identity.total())
        case.assertEqual(account._ends, reserved.total())
        ends: Counter[str] = Counter()
        for agent, count in reserved.items():
            ends[context.presence.registered_by(agent)] += count
        case.assertEqual(account._ends_of_identity, ends)
