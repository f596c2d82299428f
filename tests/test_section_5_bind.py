"""Sections 5 and 5.1 from outside: Bind, its versions, and what is allowed before and behind it."""

from __future__ import annotations

import struct

import pytest

from .wire_client import AGENT_ROLE, SERVICE_ROLE, Kind, body, frame, message
from .wire_exchange import Clients, new_number
from .wire_requests import AGENT_BIND, CONNECT, GOOD_BODIES, LIMIT, MALFORMED, OF_AGENTS, OF_SERVICES

HASHED_BIND = {**AGENT_BIND, "identity": "hashed-desk", "secret": "ivr-secret"}


@pytest.mark.parametrize("kind", [*OF_AGENTS, *OF_SERVICES, Kind.UNBIND])
def test_before_bind_every_request_but_ping_is_not_bound(clients: Clients, kind: Kind) -> None:
    content = GOOD_BODIES.get(kind, body(Kind.UNBIND, status=0, detail=""))
    for link in (clients.link(), clients.link(to_services=True)):
        assert link.ask_raw(kind, content).outcome == (Kind.ERROR, 10)
        got = link.ask_raw(kind, b"\xff")
        assert (got.outcome, got["about"]) == ((Kind.ERROR, 10), kind)
        assert link.is_open()


def test_a_link_that_was_told_not_bound_can_still_bind(clients: Clients) -> None:
    link = clients.link()
    assert link.ask_raw(Kind.AGENT_LOGIN, GOOD_BODIES[Kind.AGENT_LOGIN]).outcome == (Kind.ERROR, 10)
    assert link.bind(AGENT_ROLE, "desk", "desk-secret")["status"] == 0


def test_a_message_of_the_other_role_is_not_allowed(clients: Clients) -> None:
    agent, service = clients.bound_agent(), clients.service()
    for link, kinds in ((agent, OF_SERVICES), (service, OF_AGENTS)):
        for kind in kinds:
            assert link.ask_raw(kind, GOOD_BODIES[kind]).outcome == (Kind.ERROR, 5)
            assert link.ask_raw(kind, b"\xff").outcome == (Kind.ERROR, 5), "role goes before body"
        assert link.is_open()


def test_what_only_the_exchange_sends_is_not_allowed(clients: Clients) -> None:
    connection = body(Kind.CONNECTION, access_code="1", calling_number="1**1", exchange_address="")
    assert clients.service().ask_raw(Kind.CONNECTION, connection).outcome == (Kind.ERROR, 5)
    assert clients.service().ask(Kind.CALL_ENDED, serial="1", condition=1).outcome == (Kind.ERROR, 5)
    assert clients.service().ask(Kind.DATA_CHANGED, serial="1").outcome == (Kind.ERROR, 5)
    agent = clients.bound_agent()
    event = {
        "sequence": 1,
        "time": 1,
        "agent": "1",
        "serial": "1",
        "reference": "",
        "condition": 1,
        "status": 0,
        "fields": (),
    }
    agent.send(message(Kind.AGENT_EVENT, 0, **event))
    assert agent.read().outcome == (Kind.ERROR, 5)


def test_a_second_bind_is_not_allowed_and_changes_nothing(clients: Clients) -> None:
    link = clients.bound_agent()
    assert link.ask(Kind.BIND, **AGENT_BIND).outcome == (Kind.ERROR, 5)
    assert link.ask_raw(Kind.BIND, b"\xff").outcome == (Kind.ERROR, 5), "whatever its body"
    assert link.login(new_number())["status"] == 0


def test_the_bind_reply_tells_the_terms_of_the_link(clients: Clients) -> None:
    first = clients.link().bind(AGENT_ROLE, "desk", "desk-secret")
    second = clients.link(to_services=True).bind(SERVICE_ROLE, "ivr", "ivr-secret")
    for got in (first, second):
        assert (got["status"], got["version"], got["heartbeat_s"], got["max_frame"]) == (0, 2, 30, LIMIT)
        assert got["max_in_flight"] == 1_024
        assert got["exchange_address"] == "ctiex.test:7301"
    assert first["session"] and second["session"] and first["session"] != second["session"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "Desk-secret"},
        {"secret": ""},
        {"identity": "unheard-of"},
        {"identity": ""},
        {"role": SERVICE_ROLE},
        {"role": SERVICE_ROLE, "identity": "ivr", "secret": "ivr-secret"},
        {"identity": "ivr", "secret": "ivr-secret"},
    ],
)
def test_bad_credentials_a_foreign_role_or_the_other_link_are_11_and_end_the_link(
    clients: Clients, wrong: dict[str, object]
) -> None:
    link = clients.link()
    link.send(message(Kind.BIND, 3, **{**AGENT_BIND, **wrong}), message(Kind.PING, 4))
    assert [got.outcome for got in link.until_end()] == [(Kind.BIND_REPLY, 11)]


def test_an_agents_identity_on_the_link_of_the_services_is_11(clients: Clients) -> None:
    link = clients.link(to_services=True)
    link.send(message(Kind.BIND, 3, **AGENT_BIND))
    assert [got.outcome for got in link.until_end()] == [(Kind.BIND_REPLY, 11)]


@pytest.mark.parametrize("role", [0, 3, 255])
def test_an_unknown_role_is_malformed_and_the_link_can_still_bind(clients: Clients, role: int) -> None:
    link = clients.link()
    assert link.ask(Kind.BIND, **{**AGENT_BIND, "role": role}).outcome == MALFORMED
    assert link.bind(AGENT_ROLE, "desk", "desk-secret")["status"] == 0


def test_a_bind_with_bytes_left_over_is_malformed_and_the_link_can_still_bind(clients: Clients) -> None:
    link = clients.link()
    assert link.ask_raw(Kind.BIND, body(Kind.BIND, **AGENT_BIND) + b"\x00").outcome == MALFORMED
    link.send(message(Kind.BIND, 0, **AGENT_BIND))
    assert link.read().outcome == MALFORMED
    assert link.bind(AGENT_ROLE, "desk", "desk-secret")["status"] == 0


@pytest.mark.parametrize(("low", "high"), [(2, 2), (0, 2), (2, 3), (0, 255)])
def test_a_range_with_version_2_in_it_gets_version_2(clients: Clients, low: int, high: int) -> None:
    got = clients.link().bind(AGENT_ROLE, "desk", "desk-secret", low, high)
    assert (got["status"], got["version"]) == (0, 2)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (3, 3), (3, 255), (0, 0), (3, 2), (2, 1)])
def test_a_range_without_version_2_is_told_the_highest_and_the_link_ends(clients: Clients, low: int, high: int) -> None:
    link = clients.link()
    link.send(message(Kind.BIND, 1, **{**AGENT_BIND, "min_version": low, "max_version": high}))
    (got,) = link.until_end()
    assert (got.outcome, got["version"]) == ((Kind.BIND_REPLY, 3), 2)


def test_frames_behind_a_bind_are_handled_in_order_after_its_reply(clients: Clients) -> None:
    link, number = clients.link(), new_number()
    login = message(Kind.AGENT_LOGIN, 3, agent=number, epoch=0, resume_after=0)
    request = message(Kind.CONNECT_REQUEST, 4, **{**CONNECT, "agent": number, "service": "unheard-of"})
    again = message(Kind.BIND, 2, **AGENT_BIND)
    link.send(message(Kind.BIND, 1, **AGENT_BIND), again, login, request, message(Kind.PING, 5))
    assert [link.read().outcome for _ in range(5)] == [
        (Kind.BIND_REPLY, 0),
        (Kind.ERROR, 5),
        (Kind.AGENT_LOGIN_REPLY, 0),
        (Kind.CONNECT_REPLY, 30),
        (Kind.PONG, 0),
    ]


def test_frames_behind_a_bind_wait_also_while_a_hashed_secret_is_verified(clients: Clients) -> None:
    link = clients.link()
    pings = [message(Kind.PING, number) for number in range(2, 3000)]
    link.send(message(Kind.BIND, 1, **HASHED_BIND), *pings, message(Kind.BIND, 3000, **HASHED_BIND), frame(0x7F))
    got = [link.read() for _ in range(3001)]
    assert [each.invoke_id for each in got] == [*range(1, 3001), 1]
    assert [got[at].outcome for at in (0, -2, -1)] == [(Kind.BIND_REPLY, 0), (Kind.ERROR, 5), (Kind.ERROR, 2)]


def test_what_ends_a_link_is_told_after_the_bind_it_stands_behind(clients: Clients) -> None:
    link = clients.link()
    link.send(message(Kind.BIND, 1, **HASHED_BIND), struct.pack(">I", LIMIT + 1))
    assert [got.outcome for got in link.until_end()] == [(Kind.BIND_REPLY, 0), (Kind.ERROR, 4)]
    refused = clients.link()
    refused.send(message(Kind.BIND, 1, **{**HASHED_BIND, "secret": "no"}), message(Kind.PING), struct.pack(">I", 0))
    assert [got.outcome for got in refused.until_end()] == [(Kind.BIND_REPLY, 11)]


def test_unbind_is_answered_also_under_invoke_id_0(clients: Clients) -> None:
    for invoke_id in (0, 5):
        link = clients.bound_agent()
        link.send(message(Kind.UNBIND, invoke_id, status=0, detail=""))
        got = link.read()
        assert (got.kind, got.invoke_id, got.length) == (Kind.UNBIND_REPLY, invoke_id, 8)


# Features, and how much at once


@pytest.mark.parametrize(
    ("wanted", "granted"),
    [
        ("", ""),
        ("updates", "updates"),
        ("updates updates", "updates"),
        (" unheard-of  updates x ", "updates"),
        ("calls", ""),
        ("calls updates", "updates"),
        ("Updates updates2 up dates", ""),
        ("updates,calls", ""),
        ("x " * 20_000, ""),
    ],
)
def test_a_service_gets_the_features_that_it_names_and_that_are_there(
    clients: Clients, wanted: str, granted: str
) -> None:
    got = clients.link(to_services=True).bind(SERVICE_ROLE, "ivr", "ivr-secret", features=wanted)
    assert (got["status"], got["features"]) == (0, granted)


def test_a_feature_of_the_other_role_is_not_granted(clients: Clients) -> None:
    got = clients.link().bind(AGENT_ROLE, "desk", "desk-secret", features="updates unheard-of")
    assert (got["status"], got["features"]) == (0, "")


def test_a_refusal_grants_nothing(clients: Clients) -> None:
    link = clients.link(to_services=True)
    got = link.bind(SERVICE_ROLE, "ivr", "wrong", features="updates")
    assert (got["status"], got["features"], got["session"], got["max_in_flight"]) == (11, "", "", 0)


def test_a_secret_may_be_longer_than_255_bytes(clients: Clients) -> None:
    link = clients.link()
    link.send(message(Kind.BIND, 1, **{**AGENT_BIND, "secret": "s" * 40_000}))
    assert [got.outcome for got in link.until_end()] == [(Kind.BIND_REPLY, 11)]
