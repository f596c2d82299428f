"""Each function of call control on a simulated platform: what is asked, what happens, what is told, who may."""

from __future__ import annotations

import pytest

from ctiex.call_messages import Action, Page
from ctiex.identities import AgentNumbers, Identity
from ctiex.messages import Role

from .call_control_bench import (
    CUSTOMER,
    OUTSIDE,
    OUTSIDE_BUSY,
    OUTSIDE_DEAD,
    OUTSIDE_SILENT,
    SUPERVISING,
    SUPERVISOR,
    Bench,
    Desk,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def desk(bench: Bench) -> Desk:
    desk = Desk(bench)
    assert [desk.monitor(agent) for agent in ("1001", "1002", "1003")] == [0, 0, 0]
    desk.told.clear()
    return desk


def together(*groups: tuple[str, ...]) -> set[frozenset[str]]:
    return {frozenset(group) for group in groups}


# ---------------------------------------------------------------- a call comes


def test_a_call_is_told_from_its_first_ring_to_its_end(bench: Bench, desk: Desk) -> None:
    call = bench.rings()
    assert desk.parties(call) == {CUSTOMER: "connected", "1001": "alerting"}
    assert desk.actions(call, "1001") == {"answer", "reject", "deflect"}
    bench.picks_up("1001")
    assert desk.parties(call) == {CUSTOMER: "connected", "1001": "connected"}
    bench.hangs_up(bench.customer(call))
    assert desk.changes() == ["alerting", "established", "party dropped", "cleared"]
    assert len({event.serial for event in desk.events()}) == 1
    assert desk.events()[0].serial
    bench.nothing_is_left()


def test_the_server_answers_where_the_platform_can(bench: Bench, desk: Desk) -> None:
    call = bench.rings()
    assert desk.ask(Action.ANSWER, "1001", call).status == 0
    assert bench.together() == together((CUSTOMER, "1001"))


def test_a_rejected_call_ends_at_the_agent(bench: Bench, desk: Desk) -> None:
    call = bench.rings()
    assert desk.ask(Action.REJECT, "1001", call).status == 0
    assert not list(bench.board.legs.of_agent("1001"))
    bench.nothing_is_left()


def test_a_deflected_call_rings_elsewhere(bench: Bench, desk: Desk) -> None:
    call = bench.rings()
    assert desk.ask(Action.DEFLECT, "1001", call, destination="1002").status == 0
    bench.picks_up("1002")
    assert bench.together() == together((CUSTOMER, "1002"))
    assert "diverted" in desk.changes(call)


# ---------------------------------------------------------------- hold and consultation


def test_hold_and_retrieve(bench: Bench, desk: Desk) -> None:
    call = bench.talks()
    for _ in range(3):
        assert desk.ask(Action.HOLD, "1001", call).status == 0
        assert bench.held() == {CUSTOMER}
        assert desk.parties(call) == {CUSTOMER: "connected", "1001": "held"}
        assert desk.ask(Action.RETRIEVE, "1001", call).status == 0
        assert bench.together() == together((CUSTOMER, "1001"))
        assert desk.parties(call) == {CUSTOMER: "connected", "1001": "connected"}
    assert desk.changes(call)[-6:] == ["held", "retrieved"] * 3


def test_a_consultation_holds_the_customer_and_has_a_call_of_its_own(bench: Bench, desk: Desk) -> None:
    call = bench.talks()
    other = bench.consulted(desk, call)
    assert bench.held() == {CUSTOMER}
    assert bench.together() == together(("1001", "1002"))
    assert desk.events(other)[-1].related == call
    assert desk.parties(call) == {CUSTOMER: "connected", "1001": "held"}
    assert desk.parties(other) == {"1001": "connected", "1002": "connected"}


def test_what_may_be_asked_for_is_told_of_both_calls(bench: Bench, desk: Desk) -> None:
    two, one = {"alternate", "reconnect", "transfer", "conference"}, {"consult", "blind_transfer", "add_party"}
    call = bench.talks()
    other = bench.consulted(desk, call)
    assert desk.changes(call)[-1] == "actions changed"
    assert (desk.actions(call, "1001") & (two | one), desk.actions(other, "1001") & (two | one)) == (two, two)
    assert desk.ask(Action.ALTERNATE, "1001", call).status == 0
    assert (desk.actions(call, "1001") & (two | one), desk.actions(other, "1001") & (two | one)) == (two, two)
    bench.hangs_up(bench.customer(call))
    desk.ask(Action.RETRIEVE, "1001", other)
    assert desk.actions(other, "1001") & (two | one) == one


def test_alternate_and_reconnect(bench: Bench, desk: Desk) -> None:
    call = bench.talks()
    other = bench.consulted(desk, call)
    for one, two in ((call, other), (other, call)):
        assert desk.ask(Action.ALTERNATE, "1001", one, other=two).status == 0
    assert desk.ask(Action.ALTERNATE, "1001", other).status == 0
    assert bench.held() == {"1002"}
    assert bench.together() == together((CUSTOMER, "1001"))
    assert desk.parties(other) == {"1001": "held", "1002": "connected"}
    assert desk.ask(Action.RECONNECT, "1001", other).status == 0
    assert bench.together() == together((CUSTOMER, "1001"))
    assert desk.changes(other)[-1] == "cleared"


def test_a_call_that_is_made_is_given_up_while_it_rings(bench: Bench, desk: Desk) -> None:
    made = desk.ask(Action.MAKE, "1001", destination=OUTSIDE_SILENT)
    for _ in range(2):
        assert desk.ask(Action.CLEAR, "1001", made.call).status == 0
        assert desk.changes(made.call)[-2:] == ["failed", "cleared"]
        assert list(bench.legs()) == []
        made = desk.ask(Action.MAKE, "1001", destination=OUTSIDE_SILENT)
        bench.picks_up("1001")


def test_who_is_consulted_answers_or_rejects_from_the_desk(bench: Bench, desk: Desk) -> None:
    call = bench.talks()
    for action in (Action.REJECT, Action.ANSWER):
        [consulting] = desk.begin(Action.CONSULT, "1001", call, destination="1002")
        bench.pump()
        assert desk.actions(consulting.call, "1002") == {"answer", "reject"}
        assert desk.ask(action, "1002", consulting.call).status == 0
        if action is Action.REJECT:
            assert "failed" in desk.changes(consulting.call) and desk.changes(consulting.call)[-1] == "cleared"
            assert desk.ask(Action.RETRIEVE, "1001", call).status == 0
    assert bench.together() == together(("1001", "1002"))


def test_reconnect_while_it_still_rings(bench: Bench, desk: Desk) -> None:
    call = bench.talks()
    consulting = desk.begin(Action.CONSULT, "1001", call, destination="1002", seconds=20)
    bench.pump()
    [other] = [answer.call for answer in consulting]
    assert "reconnect" in desk.actions(other, "1001")
    assert desk.ask(Action.RECONNECT, "1001", other).status == 0
    assert bench.together() == together((CUSTOMER, "1001"))


@pytest.mark.parametrize("target, status", [(OUTSIDE_BUSY, 63), (OUTSIDE_SILENT, 64), ("0309", 65), (OUTSIDE_DEAD, 66)])
def test_a_consultation_that_fails_leaves_the_customer_held(bench: Bench, desk: Desk, target: str, status: int) -> None:
    call = bench.talks()
    other = desk.ask(Action.CONSULT, "1001", call, destination=target, seconds=10).call
    bench.wait(12)
    assert (desk.changes(other)[-2:], desk.events(other)[-2].status) == (["failed", "cleared"], status)
    assert bench.held() == {CUSTOMER}
    assert desk.ask(Action.RETRIEVE, "1001", call).status == 0
    assert bench.together() == together((CUSTOMER, "1001"))


# ---------------------------------------------------------------- transfer and conference


def test_an_attended_transfer_frees_the_agent_and_keeps_the_call(bench: Bench, desk: Desk) -> None:
    call = bench.talks()
    other = bench.consulted(desk, call, fields=bench.fields(order="4711"))
    assert desk.ask(Action.TRANSFER, "1001", other).status == 0
    assert bench.together() == together((CUSTOMER, "1002"))
    assert not list(bench.board.legs.of_agent("1001"))
    assert desk.changes(call)[-1] in ("transferred", "data changed")
    assert desk.parties(call) == {CUSTOMER: "connected", "1002": "connected"}
    assert desk.events(call)[-1].fields == bench.fields(order="4711")
    assert desk.changes(other)[-1] == "cleared"
    bench.hangs_up(bench.customer(call))
    bench.nothing_is_left()


def test_a_transfer_from_the_alternated_side(bench: Bench, desk: Desk) -> None:
    call = bench.talks()
    other = bench.consulted(desk, call)
    desk.ask(Action.ALTERNATE, "1001", other)
    assert desk.ask(Action.TRANSFER, "1001", call, other=other).status == 0
    assert bench.together() == together((CUSTOMER, "1002"))


def test_a_blind_transfer(bench: Bench, desk: Desk) -> None:
    call = bench.talks()
    assert desk.ask(Action.BLIND_TRANSFER, "1001", call, destination="1002").status == 0
    assert not list(bench.board.legs.of_agent("1001"))
    bench.picks_up("1002")
    assert bench.together() == together((CUSTOMER, "1002"))
    assert "transferred" in desk.changes(call)


def test_a_blind_transfer_that_nobody_answers_ends_in_the_fallback(bench: Bench, desk: Desk) -> None:
    call = bench.talks()
    desk.ask(Action.BLIND_TRANSFER, "1001", call, destination=OUTSIDE_SILENT, seconds=5)
    bench.wait(6)
    assert bench.customer(call).queue == "fallback"


def test_a_conference_of_three(bench: Bench, desk: Desk) -> None:
    call = bench.talks()
    other = bench.consulted(desk, call)
    assert desk.ask(Action.CONFERENCE, "1001", other).status == 0
    assert bench.together() == together((CUSTOMER, "1001", "1002"))
    assert desk.changes(call)[-1] == "conferenced"
    assert desk.changes(other)[-1] == "cleared"
    assert desk.actions(call, "1001") >= {"drop_party", "leave", "add_party"}
    assert desk.ask(Action.LEAVE, "1001", call).status == 0
    assert bench.together() == together((CUSTOMER, "1002"))


def test_a_party_is_added_and_dropped(bench: Bench, desk: Desk) -> None:
    call = bench.talks()
    desk.begin(Action.ADD_PARTY, "1001", call, destination="1003")
    bench.pump()
    bench.picks_up("1003")
    assert bench.together() == together((CUSTOMER, "1001", "1003"))
    party = bench.leg_of("1003").id
    assert desk.ask(Action.DROP_PARTY, "1001", call, other=party).status == 0
    assert bench.together() == together((CUSTOMER, "1001"))
    assert desk.ask(Action.CLEAR, "1001", call).status == 0
    assert list(bench.legs()) == []
    bench.nothing_is_left()


# ---------------------------------------------------------------- making calls


def test_a_call_is_made_with_the_agents_phone_first(bench: Bench, desk: Desk) -> None:
    made = desk.ask(Action.MAKE, "1001", destination=OUTSIDE)
    assert made.status == 0 and made.call and made.serial
    assert desk.parties(made.call) == {"1001": "alerting"}
    bench.picks_up("1001")
    assert desk.parties(made.call) == {"1001": "connected", OUTSIDE: "alerting"}
    bench.wait(2)
    assert bench.together() == together((OUTSIDE, "1001"))
    assert desk.ask(Action.HOLD, "1001", made.call).status == 0
    assert desk.ask(Action.CLEAR, "1001", made.call).status == 0
    assert desk.changes(made.call)[-1] == "cleared"
    bench.nothing_is_left()


@pytest.mark.parametrize("target, status", [(OUTSIDE_BUSY, 63), (OUTSIDE_SILENT, 64), ("0309", 65), (OUTSIDE_DEAD, 66)])
def test_a_call_that_is_not_reached_ends_with_the_reason(bench: Bench, desk: Desk, target: str, status: int) -> None:
    made = desk.ask(Action.MAKE, "1001", destination=target, seconds=5)
    bench.picks_up("1001")
    bench.wait(7)
    failed = [event.status for event in desk.events(made.call) if event.event == 11]
    assert failed == [status]
    assert desk.changes(made.call)[-1] == "cleared"
    assert list(bench.legs()) == []
    bench.nothing_is_left()


def test_an_agent_who_does_not_pick_up_makes_no_call(bench: Bench, desk: Desk) -> None:
    made = desk.ask(Action.MAKE, "1001", destination=OUTSIDE, seconds=5)
    bench.wait(7)
    assert [event.status for event in desk.events(made.call) if event.event == 11] == [64]
    assert desk.changes(made.call)[-1] == "cleared"
    bench.nothing_is_left()


# ---------------------------------------------------------------- digits, recording, supervisors


def test_digits_and_recording(bench: Bench, desk: Desk) -> None:
    call = bench.talks()
    assert desk.ask(Action.DIGITS, "1001", call, value="12#").status == 0
    assert bench.platform.digits == [(call, "12#")]
    for action, change in (
        (Action.RECORD_START, "ON"), (Action.RECORD_PAUSE, "PAUSED"), (Action.RECORD_RESUME, "ON"),
        (Action.RECORD_STOP, "OFF"),
    ):  # fmt: skip
        assert desk.ask(action, "1001", call).status == 0
        assert desk.events(call)[-1].recording.name == change
    assert desk.ask(Action.RECORD_PAUSE, "1001", call).status == 61


def test_a_supervisor_listens_whispers_barges_and_takes_over(bench: Bench, desk: Desk) -> None:
    lead = Desk(bench, SUPERVISING)
    assert lead.monitor("1001") == 0
    call = bench.talks()
    assert lead.actions(call, "1001") >= {"listen", "whisper", "barge", "intercept"}
    assert not desk.actions(call, "1001") & {"listen", "whisper", "barge", "intercept"}
    lead.begin(Action.LISTEN, "1001", call, value=SUPERVISOR)
    bench.pump()
    bench.picks_up(SUPERVISOR)
    assert lead.parties(call)[SUPERVISOR] == "connected"
    assert SUPERVISOR not in desk.parties(call)
    assert lead.ask(Action.WHISPER, "1001", call, value=SUPERVISOR).status == 0
    assert lead.ask(Action.INTERCEPT, "1001", call, value=SUPERVISOR).status == 0
    assert bench.together() == together((CUSTOMER, SUPERVISOR))
    assert not list(bench.board.legs.of_agent("1001"))


def supervises(bench: Bench, lead: Desk, call: str, device: str) -> None:
    lead.begin(Action.LISTEN, "1001", call, value=device)
    bench.pump()
    bench.picks_up(device)


def test_supervision_ends_for_who_asks_and_never_for_the_supervisor_of_somebody_else(bench: Bench, desk: Desk) -> None:
    team = AgentNumbers.parse(["1001"])
    lead = Desk(bench, Identity("lead", Role.AGENT, AgentNumbers.parse([SUPERVISOR, "1003"]), supervised=team))
    other = Desk(bench, Identity("other lead", Role.AGENT, AgentNumbers.parse(["1004"]), supervised=team))
    assert lead.monitor("1001") == 0
    call = bench.talks()
    supervises(bench, other, call, "1004")
    assert lead.ask(Action.STOP_SUPERVISION, "1001", call).status == 61
    assert lead.ask(Action.STOP_SUPERVISION, "1001", call, value="1004").status == 65
    supervises(bench, lead, call, SUPERVISOR)
    supervises(bench, lead, call, "1003")
    assert lead.ask(Action.STOP_SUPERVISION, "1001", call).status == 65
    assert {SUPERVISOR, "1003", "1004"} < set(lead.parties(call))
    assert lead.ask(Action.STOP_SUPERVISION, "1001", call, value="1003").status == 0
    assert lead.ask(Action.STOP_SUPERVISION, "1001", call).status == 0
    assert {"1003", "1004", SUPERVISOR} & set(lead.parties(call)) == {"1004"}
    assert other.ask(Action.STOP_SUPERVISION, "1001", call).status == 0


# ---------------------------------------------------------------- monitors


def test_a_snapshot_has_every_call_and_the_state(bench: Bench, desk: Desk) -> None:
    call = bench.talks()
    late = Desk(bench)
    assert late.monitor("1001") == 0
    assert late.states() == ["busy"]
    assert [(page.page, page.call) for page in late.pages()] == [(Page.LAST, call)]
    assert late.monitor("1002") == 0
    assert [(page.page, page.call) for page in late.pages()[1:]] == [(Page.LAST, "")]


# ---------------------------------------------------------------- data


def test_a_secret_is_in_no_answer_to_who_does_not_have_the_call(bench: Bench, desk: Desk) -> None:
    lead, call = Desk(bench, SUPERVISING), bench.talks()
    assert lead.monitor("1001") == 0
    assert desk.data("1001", call, fields=bench.fields(pin="4711")).fields == bench.fields(pin="4711")
    kept = lead.data("1001", call, 1, fields=bench.fields(note="vip"))
    refused = lead.data("1001", call, 1, fields=bench.fields(note="vip"))
    assert [answer.status for answer in (kept, refused)] == [0, 22]
    assert {answer.fields["pin"] for answer in (kept, refused)} == {"***"}
    assert desk.events(call)[-1].fields == bench.fields(pin="4711", note="vip")
