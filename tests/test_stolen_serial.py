"""A stolen serial gives nothing over TCP: to another service, to an agent link, before, during and after the call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .waiting import until
from .wire_client import AGENT_ROLE, SERVICE_ROLE, Kind, Message, Peer, body, message
from .wire_exchange import Clients, RunningExchange, new_number

IDENTITIES = """
[exchange]
address = "ctiex.test:7301"
[identities.desk]
role = "agent"
secret = "desk-secret"
agents = ["50000000-59999999"]
[identities.thieves-desk]
role = "agent"
secret = "desk-secret"
agents = ["9001"]
[identities.ivr]
role = "service"
secret = "ivr-secret"
services = ["bill"]
[identities.rival]
role = "service"
secret = "ivr-secret"
services = ["bill"]
[identities.stranger]
role = "service"
secret = "ivr-secret"
services = ["number"]
[services.bill]
access_code = "8001"
keep_closed = 0.5
[services.number]
access_code = "8002"
"""
FIELDS = [("account", "62220011"), ("pin", "4711")]
NEVER = "99999999999999999999"
"""A serial that no call has."""


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    running = RunningExchange(Path(tmp_path_factory.mktemp("stolen")), IDENTITIES)
    try:
        yield running
        running.finish()
    finally:
        running.stop()


class Theft:
    """A call, and everybody who tries to get at it with its serial."""

    def __init__(self, clients: Clients) -> None:
        self.serial, self.number = new_number(), new_number()
        self.agent, self.service = clients.agent(self.number), clients.service("ivr")
        self.clients = clients
        self.thieves: list[Peer] = []
        self.other_agent = clients.bound_agent("thieves-desk")
        assert self.other_agent.login("9001")["status"] == 0

    def connect(self) -> None:
        """The call is asked for, and offered to the one service that is there: the others come only then."""
        asked = self.agent.connect(self.number, self.serial, "bill", fields=FIELDS, reference="ticket 4711")
        assert asked["status"] == 0
        self.connection = self.service.wait(Kind.CONNECTION)
        self.thieves = [self.clients.service("rival"), self.clients.service("stranger")]

    def try_everything(self, reused: int) -> None:
        """Nothing is given, and no answer tells that there is such a call, but that the serial is in use.

        :param reused: the status of a ConnectRequest with the serial by another agent.
        """
        for thief in self.thieves or [self.clients.service("stranger")]:
            for serial in (self.serial, NEVER):
                assert _told(thief.data(serial), serial) == {"status": 20, "agent": "", "reference": "", "fields": []}
                assert thief.report(serial, 1, agent=self.number) == thief.report(serial, 2) == 20
            for request, content in _OF_AGENTS.items():
                refused = thief.ask(request, serial=self.serial, **content)
                assert refused.outcome == (Kind.ERROR, 5)
        for request in (Kind.DATA_REQUEST, Kind.SERVICE_EVENT):
            content = {"exchange_address": ""} if request is Kind.DATA_REQUEST else _REPORT
            refused = self.other_agent.ask(request, serial=self.serial, **content)
            assert refused.outcome == (Kind.ERROR, 5)
        for request, content in _OF_AGENTS.items():
            answers = [self.other_agent.own_reply(request, serial=serial, **content) for serial in (self.serial, NEVER)]
            assert [answer["status"] for answer in answers] == [20, 20]
            assert answers[0]["detail"] == answers[1]["detail"]
        assert self.other_agent.query(self.number)["status"] == 5
        assert self.other_agent.query("9001")["calls"] == []
        assert self.other_agent.connect("9001", self.serial, "bill")["status"] == reused
        assert self.other_agent.connect(self.number, self.serial, "bill", fields=FIELDS)["status"] == 42
        assert self.other_agent.login(self.number)["status"] == 5

    def unbound(self) -> None:
        """Whoever isn't bound hears that, and nothing else."""
        for to_services in (True, False):
            link = self.clients.link(to_services)
            answer = link.ask_raw(Kind.DATA_REQUEST, body(Kind.DATA_REQUEST, serial=self.serial, exchange_address=""))
            assert answer.outcome == (Kind.ERROR, 10)


_OF_AGENTS: dict[Kind, dict[str, Any]] = {
    Kind.CANCEL_REQUEST: {},
    Kind.UPDATE_REQUEST: {"fields": [("pin", "0000")]},
}
_REPORT = {"event_id": 1, "agent": "", "condition": 1, "fields": ()}


def _told(result: Message, serial: str) -> dict[str, object]:
    told = dict(result.values)
    assert told.pop("serial") == serial
    return told


def test_before_the_call_there_is_nothing_to_get(clients: Clients) -> None:
    theft = Theft(clients)
    theft.unbound()
    for identity in ("rival", "stranger", "ivr"):
        assert clients.service(identity).data(theft.serial)["status"] == 20
    assert theft.other_agent.own_reply(Kind.CANCEL_REQUEST, serial=theft.serial)["status"] == 20
    assert theft.agent.unread() == []


def test_while_it_runs_only_the_service_that_has_it_gets_anything(clients: Clients) -> None:
    theft = Theft(clients)
    theft.connect()
    theft.try_everything(reused=22)
    theft.service.send(_accepting(theft))
    assert theft.agent.conditions(2) == [10, 11]
    theft.try_everything(reused=22)
    theft.unbound()
    result = theft.service.data(theft.serial)
    assert (result["status"], result["agent"], result["fields"]) == (0, theft.number, FIELDS)
    assert result["reference"] == "ticket 4711"
    assert theft.agent.event()["condition"] == 12
    theft.try_everything(reused=22)
    assert theft.service.report(theft.serial, 1, fields=[("paid", True)]) == 0
    event = theft.agent.event()
    assert (event["condition"], event["fields"]) == (1, [("paid", True)])
    theft.try_everything(reused=22)
    for thief in theft.thieves:
        assert thief.unread() == [], "nobody else ever heard of it"


def test_after_it_was_forgotten_there_is_nothing_left(clients: Clients) -> None:
    theft = Theft(clients)
    theft.connect()
    theft.service.send(_accepting(theft))
    assert theft.service.report(theft.serial, 1) == 0
    assert theft.service.data(theft.serial)["status"] == 20, "closed: not even its own service"
    theft.agent.conditions(3)
    assert theft.agent.cancel(theft.serial) == 24
    until(lambda: theft.agent.cancel(theft.serial) == 20)
    for thief in (*theft.thieves, theft.service):
        assert thief.data(theft.serial)["status"] == 20
        assert thief.report(theft.serial, 1) == 20
    assert theft.other_agent.own_reply(Kind.CANCEL_REQUEST, serial=theft.serial)["status"] == 20


def _accepting(theft: Theft) -> bytes:
    return message(Kind.CONNECTION_REPLY, theft.connection.invoke_id, status=0, detail="")


@pytest.mark.parametrize("number", ["100**1**2", "**1", "100***1", "100**", "100*", "*", "100**1#"])
def test_no_agent_can_send_a_calling_number_on_that_carries_a_serial(clients: Clients, number: str) -> None:
    agent_number = new_number()
    agent, service = clients.agent(agent_number), clients.service("ivr")
    assert agent.connect(agent_number, new_number(), "bill", number)["status"] == 34
    assert service.unread() == []


def test_bound_in_the_other_role_is_refused_like_a_wrong_secret(clients: Clients) -> None:
    answers = []
    for identity, secret in (("desk", "desk-secret"), ("desk", "wrong"), ("no such identity", "ivr-secret")):
        for role in (AGENT_ROLE, SERVICE_ROLE):
            answer = clients.link(to_services=True).bind(role, identity, secret)
            answers.append(tuple(sorted(answer.values.items())))
    assert len(set(answers)) == 1, answers
    assert dict(answers[0])["status"] == 11
