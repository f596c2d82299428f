"""Sections 5 and 5.1 from outside: deadlines, heartbeat, limits, the end of the exchange and its restart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from .waiting import until
from .wire_client import AGENT_ROLE, SERVICE_ROLE, Ended, Kind, Message, Silent, frame, message
from .wire_exchange import SHORT_TIMES, Clients, RunningExchange, new_number

TIGHT = """
[exchange]
address = "ctiex.test:7301"
[links.agent]
heartbeat = 1
login_deadline = 1.5
max_frame = 4096
frames_per_second = 200
[links.ivr]
heartbeat = 1
login_deadline = 1.5
max_frame = 4096
[limits]
links_per_identity = 3
calls_per_identity = 4
calls_per_agent = 3
fields_per_message = 2
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
rebind_grace = 0
"""
DURABLE = (
    SHORT_TIMES
    + """
[store]
kind = "sqlite"
path = "{path}"
"""
)


@pytest.fixture(scope="module")
def tight_exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    running = RunningExchange(tmp_path_factory.mktemp("tight"), TIGHT)
    yield running
    running.finish()


@pytest.fixture
def tight(tight_exchange: RunningExchange) -> Iterator[Clients]:
    opened = Clients(tight_exchange)
    yield opened
    opened.close()


def told(reply: Message) -> tuple[int, int, int]:
    return reply["status"], reply["first_sequence"], reply["last_sequence"]


# Limits and time


def test_a_link_that_does_not_bind_in_time_ends_whatever_else_it_sends(tight: Clients) -> None:
    begun = time.monotonic()
    silent, pinging, bound = tight.link(), tight.link(), tight.bound_agent()
    until(lambda: not pinging.is_open())
    assert time.monotonic() - begun > 1.4, "not before the deadline"
    assert silent.until_end() == [], "no Error is sent then"
    assert bound.is_open()


def test_two_unanswered_pings_end_a_silent_link(tight: Clients) -> None:
    for link in (tight.bound_agent(), tight.service()):
        link.answers_pings = False
    begun = time.monotonic()
    for link in tight.links:
        got = link.until_end()
        assert [each.kind for each in got] == [Kind.PING, Kind.PING]
        assert all(each.invoke_id for each in got)
    assert time.monotonic() - begun > 2.5, "each Ping had its time to be answered"


def test_a_link_that_answers_its_pings_stays(tight: Clients) -> None:
    link, got = tight.bound_agent(), 0
    link.answers_pings = False
    while got < 4:
        ping = link.read()
        assert ping.kind is Kind.PING
        link.send(frame(Kind.PONG, b"", ping.invoke_id))
        got += 1
    assert link.is_open()


def test_any_bytes_count_as_life(tight: Clients) -> None:
    silent, link = tight.bound_agent(), tight.bound_agent()
    silent.answers_pings = link.answers_pings = False
    unfinished = frame(Kind.PING, bytes(2000), 9)
    with pytest.raises(Ended):
        for at in range(len(unfinished)):
            link.send(unfinished[at : at + 1])
            with suppress(Silent):
                silent.read(0.05)
    link.send(unfinished[at + 1 :])
    assert link.wait(Kind.ERROR).outcome == (Kind.ERROR, 1), "it outlives one that says nothing"


def test_the_bind_reply_tells_the_configured_terms_and_they_hold(tight: Clients) -> None:
    link = tight.link()
    got = link.bind(AGENT_ROLE, "desk", "desk-secret")
    assert (got["heartbeat_s"], got["max_frame"]) == (1, 4096)
    assert link.ask_raw(Kind.PING, bytes(4088)).outcome == (Kind.ERROR, 1)
    link.send(frame(Kind.PING, bytes(4089)))
    assert link.until_end()[-1].outcome == (Kind.ERROR, 4)


def test_an_identity_with_too_many_links_is_14(tight: Clients) -> None:
    links = [tight.bound_agent() for _ in range(3)]
    refused = tight.link()
    assert refused.bind(AGENT_ROLE, "desk", "desk-secret")["status"] == 14
    assert refused.until_end() == []
    tight.bound_agent("second-desk")
    links[0].close()
    tight.bound_agent()


def test_an_identity_with_too_many_calls_is_14(tight: Clients) -> None:
    number, other = new_number(), new_number()
    agent, second, third = tight.agent(number), tight.bound_agent("second-desk"), new_number()
    assert tight.service().is_open() and second.login(other)["status"] == 0
    assert agent.login(third)["status"] == 0
    serials = [new_number() for _ in range(4)]
    assert [agent.connect(number, serial)["status"] for serial in serials[:3]] == [0] * 3
    refused = agent.connect(number, "")
    assert (refused["status"], "calls_per_agent" in refused["detail"]) == (14, True)
    assert agent.connect(third, serials[3])["status"] == 0, "another agent number has room"
    refused = agent.connect(third, "")
    assert (refused["status"], "calls_per_identity" in refused["detail"]) == (14, True)
    assert agent.connect(number, serials[0])["status"] == 0, "a repeat is not one more"
    assert second.connect(other, "")["status"] == 0
    assert agent.cancel(serials[0]) == 0
    assert agent.connect(number, "")["status"] == 0, "an ended call makes room"


def test_a_link_over_its_rate_is_14_and_at_twice_the_rate_cut_off_alone(tight: Clients) -> None:
    number = new_number()
    other, flooding = tight.bound_agent("second-desk"), tight.bound_agent()
    assert other.login(number)["status"] == 0
    time.sleep(1.1)  # the window of the Bind is over
    flooding.send(b"".join(message(Kind.CANCEL_REQUEST, 10 + n, serial="404") for n in range(300)))
    got = [flooding.wait(Kind.CANCEL_REPLY) for _ in range(300)]
    assert [(each.invoke_id, each["status"]) for each in got] == [(10 + n, 20 if n < 200 else 14) for n in range(300)]
    with pytest.raises((Ended, ConnectionError)):
        flooding.send(message(Kind.CANCEL_REQUEST, 10, serial="404") * 500)
        while True:
            flooding.read()
    assert other.is_open() and other.connect(number, new_number())["status"] == 0


def test_a_message_with_too_many_fields_is_36(tight: Clients) -> None:
    number = new_number()
    agent = tight.agent(number)
    many = [(name, "x") for name in ("a", "b", "c")]
    refused = agent.connect(number, new_number(), fields=many)
    assert (refused["status"], "fields_per_message" in refused["detail"]) == (36, True)
    assert agent.connect(number, new_number(), fields=many[:2])["status"] == 0


def test_events_that_are_too_old_are_gone_and_the_gap_is_told(tight: Clients) -> None:
    number, serial = new_number(), new_number()
    agent, service = tight.agent(number), tight.service()
    assert agent.connect(number, serial)["status"] == 0
    service.answer_connection()
    assert agent.conditions(2) == [10, 11]
    assert agent.logout(number) == 0

    def are_gone() -> bool:
        if told(agent.login(number)) == (0, 3, 2):
            return True
        assert agent.logout(number) == 0
        agent.unread()
        return False

    until(are_gone)
    assert agent.unread(0.05) == []


# The end of the exchange, and a restart


def test_an_exchange_that_goes_away_unbinds_its_links_with_15(tmp_path_factory: pytest.TempPathFactory) -> None:
    running = RunningExchange(tmp_path_factory.mktemp("ending"), SHORT_TIMES)
    try:
        clients = Clients(running)
        unbound, links = clients.link(), [clients.bound_agent(), clients.service()]
        assert unbound.is_open()
        running.terminate()
        for link in links:
            got = link.read()
            assert (got.kind, got["status"]) == (Kind.UNBIND, 15)
            if got.invoke_id:
                link.send(message(Kind.UNBIND_REPLY, got.invoke_id))
        for link in (*links, unbound):
            assert link.until_end() == []
        running.process.ends()
    finally:
        running.stop()


def durable_exchange(directory: Path, config: str) -> RunningExchange:
    try:
        return RunningExchange(directory, config)
    except AssertionError as refusal:
        if 'store.kind: found "sqlite"' in str(refusal):
            pytest.skip("this exchange has no sqlite store")
        raise


def test_a_durable_store_carries_calls_over_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("durable")
    config = DURABLE.format(path=directory / "calls.sqlite")
    number, offered, served = new_number(), new_number(), new_number()
    epoch = 0
    first = durable_exchange(directory, config)
    try:
        clients = Clients(first)
        agent, service = clients.agent(number), clients.service()
        assert agent.connect(number, served)["status"] == 0
        service.answer_connection()
        assert service.data(served)["status"] == 0
        assert service.report(served, 1, 0) == 0
        assert agent.connect(number, offered)["status"] == 0
        service.wait(Kind.CONNECTION)
        assert agent.conditions(5) == [10, 11, 12, 0, 10]
        agent.acknowledge(number, 5)
        # Its answer comes behind the commit of everything before it, the acknowledgement included.
        assert agent.connect(number, offered)["status"] == 0
        epoch = agent.epoch
    finally:
        first.stop()
    second = RunningExchange(directory, config)
    try:
        clients = Clients(second)
        service = clients.service()
        assert service.answer_connection()["calling_number"] == f"555**{offered}"
        assert [service.report(served, 1, 0), service.report(served, 2, 1)] == [43, 40]
        assert service.data(offered)["status"] == 0
        agent = clients.bound_agent()
        assert told(agent.login(number, 5, epoch)) == (0, 6, 6), "a store that keeps everything has one epoch for ever"
        assert agent.epoch == epoch != 0
        assert service.report(offered, 1, 1) == 0
        assert agent.conditions(2) == [1, 1], "no second 10, and nothing while the agent was away"
    finally:
        second.stop()


def test_a_store_that_forgot_has_a_new_epoch(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory, number, epochs = tmp_path_factory.mktemp("forgetting"), new_number(), [0]
    for status in (21, 21):
        running = RunningExchange(directory, SHORT_TIMES)
        try:
            link = Clients(running).bound_agent()
            assert told(link.login(number, 0, epochs[-1] or 1)) == (status, 1, 0)
            epochs.append(link.epoch)
        finally:
            running.stop()
    assert len(set(epochs)) == 3, "never 0, and never the same"


def test_a_bad_bind_does_not_use_up_the_links_of_an_identity(tight: Clients) -> None:
    for _ in range(4):
        link = tight.link(to_services=True)
        assert link.bind(SERVICE_ROLE, "ivr", "wrong")["status"] == 11
    assert tight.service().data("404")["status"] == 20
