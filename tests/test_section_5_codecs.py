"""Section 5 from outside: each link has its own codec, and a call goes over both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .wire_client import AGENT_ROLE, SERVICE_ROLE, Kind, Peer
from .wire_exchange import SHORT_TIMES, RunningExchange, new_number
from .wire_requests import FIELDS

BIG = 2**64 - 1


@pytest.fixture(
    scope="module",
    params=[("binary", "binary"), ("json", "json"), ("json", "binary"), ("binary", "json")],
    ids="-".join,
)
def links(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningExchange, str, str]]:
    """An exchange, with the codecs of its agent link and its IVR link."""
    agent_codec, service_codec = request.param
    codecs = f'[links.agent]\ncodec = "{agent_codec}"\n[links.ivr]\ncodec = "{service_codec}"\n'
    running = RunningExchange(tmp_path_factory.mktemp("codecs"), SHORT_TIMES + codecs)
    yield running, agent_codec, service_codec
    running.finish()


@pytest.fixture
def agent(links: tuple[RunningExchange, str, str]) -> Iterator[Peer]:
    link = Peer(links[0].agent_port, codec=links[1])
    assert link.bind(AGENT_ROLE, "desk", "desk-secret")["status"] == 0
    yield link
    link.close()


@pytest.fixture
def service(links: tuple[RunningExchange, str, str]) -> Iterator[Peer]:
    link = Peer(links[0].service_port, codec=links[2])
    assert link.bind(SERVICE_ROLE, "ivr", "ivr-secret", features="updates")["features"] == "updates"
    yield link
    link.close()


def test_a_call_with_its_data_an_update_and_its_result(agent: Peer, service: Peer) -> None:
    number, serial = new_number(), new_number()
    assert agent.login(number)["status"] == 0
    assert agent.connect(number, serial, fields=FIELDS, reference='Fall "7"')["status"] == 0
    service.answer_connection()
    data = service.data(serial)
    assert (data["agent"], data["reference"], data["fields"]) == (number, 'Fall "7"', FIELDS)
    (call,) = agent.query(number)["calls"]
    assert (call["serial"], call["service"], call["reference"], call["state"]) == (serial, "alpha", 'Fall "7"', 3)
    assert agent.update(serial, [("area", "Bonn")]) == 0
    assert service.answer_change() == serial
    assert dict(service.data(serial)["fields"]) == {**dict(FIELDS), "area": "Bonn"}
    assert service.report(serial, BIG, 0, FIELDS) == 0
    assert service.report(serial, BIG, 0, FIELDS[::-1]) == 43
    assert service.report(serial, BIG, 1, FIELDS) == 25
    assert service.report(serial, 0, 1, FIELDS) == 0
    events = [agent.event() for _ in range(5)]
    assert [event["condition"] for event in events] == [10, 11, 12, 0, 1]
    assert [event["fields"] for event in events] == [[], [], [], FIELDS, FIELDS]
    assert {event["reference"] for event in events} == {'Fall "7"'}
    times = [event["time"] for event in events]
    assert times == sorted(times) and call["since"] == times[2], "when it was fetched"


def test_replay_by_the_epoch(agent: Peer, service: Peer) -> None:
    number, serial = new_number(), new_number()
    epoch = agent.login(number)["epoch"]
    assert agent.connect(number, serial)["status"] == 0
    service.answer_connection()
    assert agent.conditions(2) == [10, 11]
    got = agent.login(number, 1, epoch)
    assert (got["status"], got["epoch"], got["first_sequence"], got["last_sequence"]) == (0, epoch, 1, 2)
    assert agent.conditions(1) == [11]
    assert agent.login(number, 0, epoch ^ 1 or 2)["status"] == 21
    assert agent.conditions(2) == [10, 11]
    assert agent.cancel(serial) == 0
    assert agent.conditions(1) == [16]
    assert service.answer_end() == (serial, 16)


def test_refusals(agent: Peer, service: Peer) -> None:
    number = new_number()
    assert agent.connect(number, "")["status"] == 42
    assert agent.login("")["status"] == agent.query("")["status"] == 5
    assert agent.update("404", FIELDS) == agent.cancel("404") == 20
    assert service.data("404")["status"] == service.report("404", 1) == 20
    assert service.data("404", "elsewhere:1")["status"] == 26
    got = service.ask(Kind.BIND, **{
        "role": 2, "identity": "ivr", "secret": "", "min_version": 2, "max_version": 2, "software": "", "features": "",
    })  # fmt: skip
    assert (got.outcome, got["about"]) == ((Kind.ERROR, 5), Kind.BIND)
