"""Sections 5 and 5.1 from outside: Login and agent events, limits, heartbeat, the end of the exchange."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from .wire_client import AGENT_ROLE, SERVICE_ROLE, Ended, Kind, Message, Peer, body, frame, message
from .wire_exchange import SHORT_TIMES, Desk, RunningExchange, new_number

TIGHT = """
[exchange]
address = "ctiex.test:7301"
[links.agent]
heartbeat = 1
login_deadline = 0.6
max_frame = 4096
[links.ivr]
heartbeat = 1
login_deadline = 0.6
max_frame = 4096
[limits]
links_per_identity = 3
calls_per_identity = 4
mailbox_ttl = 1
[identities.desk]
role = "agent"
secret = "desk-secret"
agents = ["*"]
[identities.second-desk]
role = "agent"
secret = "desk-secret"
agents = ["*"]
[identities.ivr]
role = "service"
secret = "ivr-secret"
services = ["alpha"]
[services.alpha]
access_code = "8001"
"""
DURABLE = SHORT_TIMES + """
[store]
kind = "sqlite"
path = "{path}"
"""


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    running = RunningExchange(tmp_path_factory.mktemp("exchange"), SHORT_TIMES)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def tight_exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    running = RunningExchange(tmp_path_factory.mktemp("tight"), TIGHT)
    yield running
    running.stop()


@pytest.fixture
def desk(exchange: RunningExchange) -> Iterator[Desk]:
    opened = Desk(exchange)
    yield opened
    opened.close()


@pytest.fixture
def tight(tight_exchange: RunningExchange) -> Iterator[Desk]:
    opened = Desk(tight_exchange)
    yield opened
    opened.close()


def told(reply: Message) -> tuple[int, int, int]:
    return reply["status"], reply["first_sequence"], reply["last_sequence"]


def sequences(link: Peer) -> list[int]:
    """The sequences of the events that are there."""
    got = link.unread(0.05)
    assert {each.kind for each in got} <= {Kind.AGENT_EVENT}
    return [each["sequence"] for each in got]


def three_events(desk: Desk, number: str) -> Peer:
    """A link of an agent who got the events 1, 2 and 3 of a call and acknowledged none."""
    agent, service, serial = desk.agent(number), desk.service(), new_number()
    assert agent.connect(number, serial)["status"] == 0
    service.answer_connection()
    assert service.data(serial)["status"] == 0
    assert agent.conditions(3) == [10, 11, 12]
    return agent


# Login and logout


def test_the_first_login_finds_an_empty_mailbox(desk: Desk) -> None:
    assert told(desk.bound_agent().login(new_number())) == (0, 1, 0)


@pytest.mark.parametrize(("number", "status"), [("1001", 0), ("1100", 0), ("1199", 0), ("1000", 5), ("1200", 5), ("*", 5)])
def test_a_number_the_identity_may_not_use_is_5(desk: Desk, number: str, status: int) -> None:
    link = desk.bound_agent("small-desk")
    assert link.login(number)["status"] == status
    assert link.logout(number) == (42 if status else 0)
    assert link.is_open()


def test_logout_of_one_who_is_not_logged_in_is_42(desk: Desk) -> None:
    number = new_number()
    link = desk.agent(number)
    assert [link.logout(number), link.logout(number)] == [0, 42]
    assert link.connect(number, "")["status"] == 42


def test_login_is_needed_on_the_same_link(desk: Desk) -> None:
    number = new_number()
    desk.agent(number)
    other = desk.bound_agent()
    assert other.connect(number, "")["status"] == 42
    assert other.logout(number) == 42


def test_one_link_serves_several_agents_each_with_its_own_sequence(desk: Desk) -> None:
    first, second = new_number(), new_number()
    link = three_events(desk, first)
    assert told(link.login(second)) == (0, 1, 0)
    assert link.connect(second, "", "nobody")["status"] == 0
    got = link.event()
    assert (got["agent"], got["sequence"]) == (second, 1)


# Replay


@pytest.mark.parametrize(("resume_after", "replayed"), [(0, [1, 2, 3]), (1, [2, 3]), (3, [])])
def test_events_after_resume_after_are_replayed_and_nothing_is_acknowledged(
    desk: Desk, resume_after: int, replayed: list[int]
) -> None:
    number = new_number()
    three_events(desk, number).close()
    link = desk.bound_agent()
    assert told(link.login(number, resume_after)) == (0, 1, 3)
    assert sequences(link) == replayed
    assert told(link.login(number)) == (0, 1, 3)
    assert sequences(link) == [1, 2, 3], "a second login on the same link replays and gets no Error 13"


def test_acknowledgements_are_cumulative_and_a_gap_is_told(desk: Desk) -> None:
    number = new_number()
    link = three_events(desk, number)
    link.acknowledge(number, 2)
    link.acknowledge(number, 1)
    assert told(link.login(number)) == (0, 3, 3)
    assert sequences(link) == [3]
    link.acknowledge(number, 3)
    assert told(link.login(number)) == (0, 4, 3)
    assert sequences(link) == []


def test_an_acknowledgement_beyond_the_last_event_is_ignored(desk: Desk) -> None:
    number = new_number()
    link = three_events(desk, number)
    link.acknowledge(number, 4)
    link.acknowledge(number, 2**64 - 1)
    assert told(link.login(number)) == (0, 1, 3)
    assert sequences(link) == [1, 2, 3]


@pytest.mark.parametrize("resume_after", [4, 2**64 - 1])
def test_a_resume_beyond_the_last_event_is_21_and_the_login_holds(desk: Desk, resume_after: int) -> None:
    number = new_number()
    link = three_events(desk, number)
    assert told(link.login(number, resume_after)) == (21, 1, 3)
    assert sequences(link) == [1, 2, 3]
    assert link.connect(number, "", "unheard-of")["status"] == 30


def test_the_events_10_to_12_are_not_created_while_the_agent_is_away(desk: Desk) -> None:
    number, serial = new_number(), new_number()
    agent, service = desk.agent(number), desk.service()
    assert agent.connect(number, serial)["status"] == 0
    assert agent.event()["condition"] == 10
    assert agent.logout(number) == 0
    service.answer_connection()
    assert service.data(serial)["status"] == 0
    assert service.report(serial, 1) == 40
    assert told(agent.login(number, 1)) == (0, 1, 2)
    assert agent.conditions(1) == [1]


def test_what_waits_for_an_agent_survives_the_end_of_its_link(desk: Desk) -> None:
    number, serial = new_number(), new_number()
    agent, service = desk.agent(number), desk.service()
    assert agent.connect(number, serial)["status"] == 0
    service.answer_connection()
    assert service.data(serial)["status"] == 0
    agent.close()
    assert service.report(serial, 1, 2, [("why", "no")]) == 40
    link = desk.bound_agent()
    assert told(link.login(number, 3)) == (0, 1, 4)
    assert link.event()["fields"] == [("why", "no")]


# Take-over


def test_a_login_on_another_link_takes_the_number_over(desk: Desk) -> None:
    number = new_number()
    old = three_events(desk, number)
    new = desk.agent(number)
    got = old.wait(Kind.ERROR)
    assert (got["status"], got["detail"], got.invoke_id) == (13, number, 0)
    assert sequences(new) == [1, 2, 3]
    old.acknowledge(number, 3)
    assert (old.connect(number, "")["status"], old.logout(number)) == (42, 42)
    assert told(new.login(number, 3)) == (0, 1, 3), "an acknowledgement of the old link is ignored"
    assert new.connect(number, "", "nobody")["status"] == 0
    assert new.event()["sequence"] == 4
    assert old.unread() == []


def test_a_take_over_leaves_the_other_numbers_of_the_old_link(desk: Desk) -> None:
    first, second = "1100", new_number()
    old = desk.agent(first)
    assert old.login(second)["status"] == 0
    new = desk.bound_agent("small-desk")
    assert new.login(first)["status"] == 0
    assert old.wait(Kind.ERROR)["detail"] == first
    assert old.connect(second, "", "nobody")["status"] == 0
    assert new.logout(first) == 0
    assert told(old.login(first)) == (0, 1, 0)
    assert new.unread() == [], "nobody had it, so nothing is taken over"


# Limits and time


def test_a_link_that_does_not_bind_in_time_ends_whatever_else_it_sends(tight: Desk) -> None:
    begun = time.monotonic()
    silent, pinging, bound = tight.link(), tight.link(), tight.bound_agent()
    with pytest.raises((Ended, OSError)):
        while time.monotonic() - begun < 3:
            pinging.ask_raw(Kind.PING)
            time.sleep(0.05)
    assert 0.4 < time.monotonic() - begun < 1.5
    silent.until_end(1.0)
    assert bound.is_open()


def test_two_unanswered_pings_end_a_silent_link(tight: Desk) -> None:
    for link in (tight.bound_agent(), tight.service()):
        link.answers_pings = False
    begun = time.monotonic()
    for link in tight.links:
        got = link.until_end(5)
        assert [each.kind for each in got] == [Kind.PING, Kind.PING]
        assert all(each.invoke_id for each in got)
    assert 2.5 < time.monotonic() - begun < 4.5


def test_a_link_that_answers_its_pings_stays(tight: Desk) -> None:
    link, got = tight.bound_agent(), 0
    link.answers_pings = False
    while got < 4:
        ping = link.read(2)
        assert ping.kind is Kind.PING
        link.send(frame(Kind.PONG, b"", ping.invoke_id))
        got += 1
    assert link.is_open()


def test_any_bytes_count_as_life(tight: Desk) -> None:
    link = tight.bound_agent()
    link.answers_pings = False
    for byte in frame(Kind.PING, b"", 9)[:9]:
        link.send(bytes([byte]))
        time.sleep(0.25)
    link.send(frame(Kind.PING, b"", 9)[9:])
    assert (link.read().kind, link.inbox) == (Kind.PONG, [])


def test_the_bind_reply_tells_the_configured_terms_and_they_hold(tight: Desk) -> None:
    link = tight.link()
    got = link.bind(AGENT_ROLE, "desk", "desk-secret")
    assert (got["heartbeat_s"], got["max_frame"]) == (1, 4096)
    assert link.ask_raw(Kind.PING, bytes(4088)).outcome == (Kind.ERROR, 1)
    link.send(frame(Kind.PING, bytes(4089)))
    assert link.until_end()[-1].outcome == (Kind.ERROR, 4)


def test_an_identity_with_too_many_links_is_14(tight: Desk) -> None:
    links = [tight.bound_agent() for _ in range(3)]
    refused = tight.link()
    assert refused.bind(AGENT_ROLE, "desk", "desk-secret")["status"] == 14
    assert refused.until_end() == []
    tight.bound_agent("second-desk")
    links[0].close()
    tight.bound_agent()


def test_an_identity_with_too_many_calls_is_14(tight: Desk) -> None:
    number, other = new_number(), new_number()
    agent, second = tight.agent(number), tight.bound_agent("second-desk")
    assert tight.service().is_open() and second.login(other)["status"] == 0
    serials = [new_number() for _ in range(4)]
    assert [agent.connect(number, serial)["status"] for serial in serials] == [0] * 4
    assert agent.connect(number, "")["status"] == 14
    assert agent.connect(number, serials[0])["status"] == 0, "a repeat is not one more"
    assert second.connect(other, "")["status"] == 0
    assert agent.cancel(serials[0]) == 0
    assert agent.connect(number, "")["status"] == 0, "an ended call makes room"


def test_events_that_are_too_old_are_gone_and_the_gap_is_told(tight: Desk) -> None:
    number, serial = new_number(), new_number()
    agent, service = tight.agent(number), tight.service()
    assert agent.connect(number, serial)["status"] == 0
    service.answer_connection()
    assert agent.conditions(2) == [10, 11]
    assert agent.logout(number) == 0
    time.sleep(1.6)
    assert told(agent.login(number)) == (0, 3, 2)
    assert sequences(agent) == []


# The end of the exchange, and a restart


def test_an_exchange_that_goes_away_unbinds_its_links_with_15(tmp_path_factory: pytest.TempPathFactory) -> None:
    running = RunningExchange(tmp_path_factory.mktemp("ending"), SHORT_TIMES)
    try:
        desk = Desk(running)
        unbound, links = desk.link(), [desk.bound_agent(), desk.service()]
        assert unbound.is_open()
        running.terminate()
        for link in links:
            got = link.read()
            assert (got.kind, got["status"]) == (Kind.UNBIND, 15)
            if got.invoke_id:
                link.send(message(Kind.UNBIND_REPLY, got.invoke_id))
        for link in (*links, unbound):
            assert link.until_end() == []
        assert running.process.wait(10) == 0
    finally:
        running.stop()


def test_a_durable_store_carries_calls_over_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("durable")
    config = DURABLE.format(path=directory / "calls.sqlite")
    number, offered, served = new_number(), new_number(), new_number()
    first = RunningExchange(directory, config)
    try:
        desk = Desk(first)
        agent, service = desk.agent(number), desk.service()
        assert agent.connect(number, served)["status"] == 0
        service.answer_connection()
        assert service.data(served)["status"] == 0
        assert service.report(served, 1, 0) == 0
        assert agent.connect(number, offered)["status"] == 0
        service.wait(Kind.CONNECTION)
        assert agent.conditions(5) == [10, 11, 12, 0, 10]
        agent.acknowledge(number, 5)
        assert agent.is_open()
    finally:
        first.stop()
    second = RunningExchange(directory, config)
    try:
        desk = Desk(second)
        service = desk.service()
        assert service.answer_connection()["calling_number"] == f"555**{offered}"
        assert [service.report(served, 1, 0), service.report(served, 2, 1)] == [43, 40]
        assert service.data(offered)["status"] == 0
        agent = desk.bound_agent()
        assert told(agent.login(number, 5)) == (0, 6, 6)
        assert service.report(offered, 1, 1) == 0
        assert agent.conditions(2) == [1, 1], "no second 10, and nothing while the agent was away"
    finally:
        second.stop()


def test_a_bad_bind_does_not_use_up_the_links_of_an_identity(tight: Desk) -> None:
    for _ in range(4):
        link = tight.link(to_services=True)
        assert link.bind(SERVICE_ROLE, "ivr", "wrong")["status"] == 11
    assert tight.service().ask_raw(Kind.DATA_REQUEST, body(Kind.DATA_REQUEST, serial="4", exchange_address="")).outcome == (
        Kind.DATA_RESULT,
        20,
    )
