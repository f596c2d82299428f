"""Sections 5 and 5.1 from outside: Login, agent events, replay, take-over."""

from __future__ import annotations

import pytest

from .wire_client import Kind, Message, Peer
from .wire_exchange import Clients, new_number


def told(reply: Message) -> tuple[int, int, int]:
    """Status, first and last sequence; with the epoch held to be there where the status says so."""
    assert (reply["epoch"] != 0) is (reply["status"] in (0, 21))
    return reply["status"], reply["first_sequence"], reply["last_sequence"]


def sequences(link: Peer) -> list[int]:
    """The sequences of the events that are there."""
    got = link.unread(0.05)
    assert {each.kind for each in got} <= {Kind.AGENT_EVENT}
    return [each["sequence"] for each in got]


def three_events(clients: Clients, number: str) -> Peer:
    """A link of an agent who got the events 1, 2 and 3 of a call and acknowledged none."""
    agent, service, serial = clients.agent(number), clients.service(), new_number()
    assert agent.connect(number, serial)["status"] == 0
    service.answer_connection()
    assert service.data(serial)["status"] == 0
    assert agent.conditions(3) == [10, 11, 12]
    return agent


# Login and logout


def test_the_first_login_finds_an_empty_mailbox(clients: Clients) -> None:
    assert told(clients.bound_agent().login(new_number())) == (0, 1, 0)


@pytest.mark.parametrize(
    ("number", "status"),
    [("1001", 0), ("1100", 0), ("1199", 0), ("1000", 5), ("1200", 5), ("11000", 5), ("*", 5), ("", 5)],
)
def test_a_number_the_identity_may_not_use_is_5(clients: Clients, number: str, status: int) -> None:
    link = clients.bound_agent("small-desk")
    reply = link.login(number)
    assert (reply["status"], reply["first_sequence"], reply["last_sequence"]) == (status, 0 if status else 1, 0)
    assert (reply["epoch"] != 0) is (status == 0)
    assert link.logout(number) == (42 if status else 0)
    assert link.is_open()


def test_logout_of_one_who_is_not_logged_in_is_42(clients: Clients) -> None:
    number = new_number()
    link = clients.agent(number)
    assert [link.logout(number), link.logout(number)] == [0, 42]
    assert link.connect(number, "")["status"] == 42


def test_login_is_needed_on_the_same_link(clients: Clients) -> None:
    number = new_number()
    clients.agent(number)
    other = clients.bound_agent()
    assert other.connect(number, "")["status"] == 42
    assert other.logout(number) == 42


def test_one_link_serves_several_agents_each_with_its_own_sequence(clients: Clients) -> None:
    first, second = new_number(), new_number()
    link = three_events(clients, first)
    assert told(link.login(second)) == (0, 1, 0)
    assert link.connect(second, "", "nobody")["status"] == 0
    got = link.event()
    assert (got["agent"], got["sequence"]) == (second, 1)


# Replay


@pytest.mark.parametrize(("resume_after", "replayed"), [(0, [1, 2, 3]), (1, [2, 3]), (3, [])])
def test_events_after_resume_after_are_replayed_and_nothing_is_acknowledged(
    clients: Clients, resume_after: int, replayed: list[int]
) -> None:
    number = new_number()
    before = three_events(clients, number)
    before.close()
    link = clients.bound_agent()
    assert told(link.login(number, resume_after, before.epoch)) == (0, 1, 3)
    assert sequences(link) == replayed
    assert told(link.login(number)) == (0, 1, 3)
    assert sequences(link) == [1, 2, 3], "a second login on the same link replays and gets no Error 13"


def test_acknowledgements_are_cumulative_and_a_gap_is_told(clients: Clients) -> None:
    number = new_number()
    link = three_events(clients, number)
    link.acknowledge(number, 2)
    link.acknowledge(number, 1)
    assert told(link.login(number)) == (0, 3, 3)
    assert sequences(link) == [3]
    link.acknowledge(number, 3)
    assert told(link.login(number)) == (0, 4, 3)
    assert sequences(link) == []


def test_an_acknowledgement_beyond_the_last_event_is_ignored(clients: Clients) -> None:
    number = new_number()
    link = three_events(clients, number)
    link.acknowledge(number, 4)
    link.acknowledge(number, 2**64 - 1)
    assert told(link.login(number)) == (0, 1, 3)
    assert sequences(link) == [1, 2, 3]


@pytest.mark.parametrize("resume_after", [4, 2**64 - 1])
def test_a_resume_beyond_the_last_event_is_21_and_the_login_holds(clients: Clients, resume_after: int) -> None:
    number = new_number()
    link = three_events(clients, number)
    own = link.epoch
    reply = link.login(number, resume_after)
    assert (told(reply), reply["epoch"]) == ((21, 1, 3), own)
    assert sequences(link) == [1, 2, 3]
    assert link.connect(number, "", "unheard-of")["status"] == 30


def test_the_events_10_to_12_are_not_created_while_the_agent_is_away(clients: Clients) -> None:
    number, serial = new_number(), new_number()
    agent, service = clients.agent(number), clients.service()
    assert agent.connect(number, serial)["status"] == 0
    assert agent.event()["condition"] == 10
    assert agent.logout(number) == 0
    service.answer_connection()
    assert service.data(serial)["status"] == 0
    assert service.report(serial, 1) == 40
    assert told(agent.login(number, 1)) == (0, 1, 2)
    assert agent.conditions(1) == [1]


def test_what_waits_for_an_agent_survives_the_end_of_its_link(clients: Clients) -> None:
    number, serial = new_number(), new_number()
    agent, service = clients.agent(number), clients.service()
    assert agent.connect(number, serial)["status"] == 0
    service.answer_connection()
    assert service.data(serial)["status"] == 0
    agent.close()
    assert service.report(serial, 1, 2, [("why", "no")]) == 40
    link = clients.bound_agent()
    assert told(link.login(number, 3, agent.epoch)) == (0, 1, 4)
    assert link.event()["fields"] == [("why", "no")]


# Epoch


def test_the_epoch_is_one_for_all_agent_numbers_and_never_0(clients: Clients) -> None:
    epochs = set()
    for _ in range(3):
        link = clients.bound_agent()
        epochs |= {link.login(new_number())["epoch"], link.login(new_number(), 0, 0)["epoch"]}
    (epoch,) = epochs
    assert epoch != 0


@pytest.mark.parametrize("resume_after", [0, 2, 3, 4, 2**64 - 1])
def test_with_epoch_0_all_that_waits_is_replayed_and_resume_after_is_ignored(
    clients: Clients, resume_after: int
) -> None:
    number = new_number()
    link = three_events(clients, number)
    assert told(link.login(number, resume_after, epoch=0)) == (0, 1, 3)
    assert sequences(link) == [1, 2, 3]
    link.acknowledge(number, 2)
    assert told(link.login(number, resume_after, epoch=0)) == (0, 3, 3), "nothing is a gap"
    assert sequences(link) == [3]


@pytest.mark.parametrize("resume_after", [0, 1, 3, 4, 2**64 - 1])
def test_with_any_other_epoch_the_reply_is_21_and_everything_kept_is_replayed(
    clients: Clients, resume_after: int
) -> None:
    number = new_number()
    link = three_events(clients, number)
    own = link.epoch
    for other in {1, own - 1, own + 1, 2**64 - 1} - {0, own}:
        reply = link.login(number, resume_after, epoch=other)
        assert (told(reply), reply["epoch"]) == ((21, 1, 3), own)
        assert sequences(link) == [1, 2, 3]
    assert link.connect(number, "", "unheard-of")["status"] == 30, "the login holds"
    assert told(link.login(number, 3)) == (0, 1, 3), "the agent adopts the epoch"
    assert sequences(link) == []


def test_another_epoch_of_an_empty_mailbox_is_21_too(clients: Clients) -> None:
    link = clients.bound_agent()
    own = link.login(new_number())["epoch"]
    assert told(link.login(new_number(), 0, epoch=own ^ 2)) == (21, 1, 0)
    assert told(link.login(new_number(), 1, epoch=own)) == (21, 1, 0), "beyond the last"


# Take-over


def test_a_login_on_another_link_takes_the_number_over(clients: Clients) -> None:
    number = new_number()
    old = three_events(clients, number)
    new = clients.agent(number)
    got = old.wait(Kind.ERROR)
    assert (got["status"], got["about"], got["detail"], got.invoke_id) == (13, Kind.AGENT_LOGIN, number, 0)
    assert sequences(new) == [1, 2, 3]
    old.acknowledge(number, 3)
    assert (old.connect(number, "")["status"], old.logout(number)) == (42, 42)
    assert told(new.login(number, 3)) == (0, 1, 3), "an acknowledgement of the old link is ignored"
    assert new.connect(number, "", "nobody")["status"] == 0
    assert new.event()["sequence"] == 4
    assert old.unread() == []


def test_a_take_over_leaves_the_other_numbers_of_the_old_link(clients: Clients) -> None:
    first, second = "1100", new_number()
    old = clients.agent(first)
    assert old.login(second)["status"] == 0
    new = clients.bound_agent("small-desk")
    assert new.login(first)["status"] == 0
    assert old.wait(Kind.ERROR)["detail"] == first
    assert old.connect(second, "", "nobody")["status"] == 0
    assert new.logout(first) == 0
    assert told(old.login(first)) == (0, 1, 0)
    assert new.unread() == [], "nobody had it, so nothing is taken over"
