"""The client's side of call control, at an exchange in memory: what it shows, what it asks, and lost links."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import ensureDeferred
from twisted.logger import capturedLogs, formatEvent

from ctiex.call_messages import (
    Action,
    AgentStateCode,
    CallChange,
    CallControl,
    CallControlReply,
    CallEvent,
    CallParty,
    ConnectionState,
    PartyRole,
    Snapshot,
)
from ctiex.call_messages import Page as SnapshotPage
from ctiex.clients import ClientCall
from ctiex.clients.call_list import CallList
from ctiex.clients.monitored_number import CallListeners, MonitoredNumber
from ctiex.errors import CallError, LinkLost, NotBound, RequestTimedOut, Status
from ctiex.fields import EMPTY, Fields
from ctiex.messages import Condition

from .desk_bench import CUSTOMER, OUTSIDE_BUSY, SUPERVISOR, DeskCase, Heard


def together(*groups: tuple[str, ...]) -> set[frozenset[str]]:
    return {frozenset(group) for group in groups}


class CallsCase(DeskCase):
    """One agent number that is logged in, and what its application hears."""

    def setUp(self) -> None:
        super().setUp()
        self.heard = Heard()
        self.agent = self.login(**self.heard.listeners)

    def talking(self, agent: str = "1001") -> ClientCall:
        """The agent talks with a customer."""
        call = self.agent.monitored.call(self.talks(agent))
        assert call is not None
        return call

    def consulting(self, call: ClientCall, target: str = "1002") -> ClientCall:
        """The agent has consulted another one, who answered."""
        other = self.now(call.consult(target))
        self.picks_up(target)
        return other


class ShownTests(CallsCase):
    """What the client has of calls and states."""

    def test_a_call_is_followed_from_its_first_ring_to_its_end(self) -> None:
        id = self.rings()
        [call] = self.agent.calls
        self.assertEqual((call.id, call.state, call.over), (id, ConnectionState.ALERTING, False))
        assert call.customer is not None and call.party is not None
        self.assertEqual((call.customer.number, call.party.agent), (CUSTOMER, "1001"))
        self.assertEqual(set(call.actions), {Action.ANSWER, Action.REJECT, Action.DEFLECT})
        self.picks_up("1001")
        self.assertTrue(call.allows(Action.HOLD))
        self.hangs_up(id)
        self.assertEqual((list(self.agent.calls), call.over, call.allows(Action.HOLD)), ([], True, False))
        self.assertEqual(self.heard.changes, ["alerting", "established", "party dropped", "cleared"])
        self.assertEqual({told for told, _ in self.heard.events}, {call})

    def test_calls_and_state_are_known_when_the_login_is(self) -> None:
        id = self.talks("1002")
        heard = Heard()
        agent = self.login("1002", **heard.listeners)
        self.assertEqual([call.id for call in agent.calls], [id])
        assert agent.state is not None
        self.assertIs(agent.state.agent_state, AgentStateCode.BUSY)
        self.assertEqual((heard.changes, heard.state_words), (["shown"], ["busy"]))

    def test_an_application_hears_nothing_before_it_knows_that_it_is_logged_in(self) -> None:
        self.talks("1002")
        heard = Heard()
        logging_in = ensureDeferred(self.client.login("1002", **heard.listeners))
        known: list[int] = []
        logging_in.addCallback(lambda _: known.append(len(heard.events) + len(heard.states)))
        self.exchange.pump()
        self.assertEqual((known, len(heard.events)), ([0], 1))

    def test_what_hears_of_calls_may_fail(self) -> None:
        def fails(*_: object) -> None:
            raise ValueError(CUSTOMER)

        agent = self.login("1002", on_call_event=fails, on_state=fails)
        with capturedLogs() as logged:
            self.talks("1002")
        self.assertEqual(len(agent.calls), 1)
        said = " ".join(formatEvent(entry) for entry in logged)
        self.assertIn("what hears of calls failed: builtins.ValueError at", said)
        self.assertNotIn(CUSTOMER, said)

    def test_a_call_that_comes_back_is_the_same_object(self) -> None:
        call = self.talking()
        self.now(call.transfer("1002"))
        self.picks_up("1002")
        self.assertTrue(call.over)
        other = self.login("1002")
        [back] = other.calls
        self.now(back.transfer("1001"))
        self.picks_up("1001")
        self.assertEqual((list(self.agent.calls), call.over), ([call], False))

    def test_a_hand_off_names_the_call(self) -> None:
        service = self.exchange.service()
        call = self.talking()
        hand_off = self.now(call.connect("bill", Fields({"account": "7"})))
        self.assertEqual(hand_off.serial, call.serial)
        self.assertEqual([one.calling_number for one in service.connections], [f"{CUSTOMER}**{call.serial}"])
        service.report(call.serial, Condition.COMPLETED, fields=Fields({"total": "3.50"}))
        self.exchange.pump()
        self.assertEqual(self.now(hand_off.result()).condition, Condition.COMPLETED)

    def test_no_value_of_a_call_is_in_its_repr(self) -> None:
        call = self.talking()
        self.now(call.update(pin="4711"))
        self.assertNotIn("4711", repr(call))
        self.assertNotIn(CUSTOMER, repr(call))


class ActionTests(CallsCase):
    """Each action, by what comes of it on the platform."""

    def test_a_call_that_rings(self) -> None:
        self.rings()
        self.now(self.agent.calls[0].answer())
        self.assertEqual(self.together(), together((CUSTOMER, "1001")))
        self.now(self.agent.calls[0].clear())
        self.rings()
        self.now(self.agent.calls[0].reject())
        self.assertEqual(list(self.agent.calls), [])
        self.rings()
        self.now(self.agent.calls[0].deflect("1002"))
        self.picks_up("1002")
        self.assertEqual(self.together(), together((CUSTOMER, "1002")))

    def test_hold_retrieve_and_what_becomes_of_them(self) -> None:
        call = self.talking()
        self.now(call.hold())
        self.assertEqual(self.now(call.until(CallChange.HELD)).call, call.id, "it has come before it is waited for")
        self.assertIs(call.state, ConnectionState.HELD)
        self.now(call.retrieve())
        self.now(call.until(CallChange.RETRIEVED))
        self.assertEqual(self.together(), together((CUSTOMER, "1001")))

    def test_a_consultation_is_a_call_of_its_own(self) -> None:
        call = self.talking()
        other = self.now(call.consult("1002", Fields({"order": "4711"})))
        answered = self.begin(other.until(CallChange.ESTABLISHED))
        self.assertEqual((other.related, [*self.agent.calls]), (call.id, [call, other]))
        self.picks_up("1002")
        self.successResultOf(answered)
        self.assertEqual((other.data["order"], bool(other.serial)), ("4711", True))
        self.now(other.alternate())
        self.assertEqual(self.together(), together((CUSTOMER, "1001")))
        self.now(call.alternate())
        self.assertEqual(self.together(), together(("1001", "1002")))
        self.now(other.reconnect())
        self.assertEqual((self.together(), other.over), (together((CUSTOMER, "1001")), True))

    def test_an_attended_transfer_is_told_to_who_waits_on_either_call(self) -> None:
        for named in ("customer", "consultation"):
            call = self.talking()
            other = self.consulting(call)
            asked = call if named == "customer" else other
            self.now(asked.transfer())
            self.assertEqual(self.now(asked.until(CallChange.TRANSFERRED)).call, call.id)
            self.assertEqual((call.over, other.over), (True, True))
            self.assertEqual(self.together(), together((CUSTOMER, "1002")))
            self.hangs_up(call.id)

    def test_a_blind_transfer_takes_data_along(self) -> None:
        call = self.talking()
        second = self.login("1002")
        self.now(call.transfer("1002", Fields({"why": "bill"})))
        self.now(call.until(CallChange.TRANSFERRED))
        self.assertEqual([one.data["why"] for one in second.calls], ["bill"])

    def test_a_conference(self) -> None:
        call = self.talking()
        other = self.consulting(call)
        self.now(other.conference())
        self.now(other.until(CallChange.CONFERENCED))
        self.assertEqual(self.together(), together((CUSTOMER, "1001", "1002")))
        self.now(call.add("1003"))
        self.picks_up("1003")
        [party] = [one for one in call.parties if one.agent == "1003"]
        self.now(call.drop(party))
        self.now(call.leave())
        self.assertEqual(self.together(), together((CUSTOMER, "1002")))

    def test_a_call_is_made_and_cleared(self) -> None:
        call = self.now(self.agent.make_call("1002", Fields({"about": "lunch"})))
        self.assertEqual([*self.agent.calls], [call])
        self.picks_up("1001")
        self.picks_up("1002")
        self.now(call.until(CallChange.ESTABLISHED))
        self.assertEqual((self.together(), call.data["about"]), (together(("1001", "1002")), "lunch"))
        self.now(call.clear())
        self.now(call.until(CallChange.CLEARED))
        self.assertEqual((list(self.board.legs.all()), call.over), ([], True))

    def test_digits_recording_and_marks(self) -> None:
        call = self.talking()
        self.now(call.digits("12#"))
        self.assertEqual(self.platform.digits, [(call.id, "12#")])
        for action, name in ((call.record, "ON"), (call.pause, "PAUSED"), (call.resume, "ON"), (call.stop, "OFF")):
            self.now(action())
            self.now(call.until(CallChange.RECORDING_CHANGED))
            self.assertEqual(call.recording.name, name)
        self.now(call.mark("complaint"))
        self.assertEqual(call.data["mark"], "complaint")

    def test_a_state_is_asked_for_and_waited_for(self) -> None:
        self.now(self.agent.set_state(AgentStateCode.NOT_READY, "lunch"))
        state = self.now(self.agent.until_state(AgentStateCode.NOT_READY))
        self.assertEqual((state.reason, state.by), ("lunch", "desk"))
        self.talking()
        self.now(self.agent.set_state(AgentStateCode.READY))
        assert self.agent.state is not None
        self.assertIs(self.agent.state.pending_state, AgentStateCode.READY)
        ready = self.begin(self.agent.until_state(AgentStateCode.READY))
        self.assertNoResult(ready)
        self.now(self.agent.calls[0].clear())
        self.successResultOf(ready)


class RefusedTests(CallsCase):
    """What isn't done, and how that is told."""

    def test_the_exchange_says_why_not(self) -> None:
        call = self.talking()
        self.assertEqual(self.refused(call.retrieve()), Status.WRONG_STATE)
        self.assertEqual(self.refused(self.agent.make_call("999")), Status.NO_SUCH_DESTINATION)
        self.assertEqual(self.refused(call.digits("nonsense")), Status.MALFORMED)
        self.hangs_up(call.id)
        self.assertEqual(self.refused(call.hold()), Status.NO_SUCH_CALL)

    def test_what_fails_ends_the_wait_with_its_status(self) -> None:
        call = self.talking()
        other = self.now(call.consult(OUTSIDE_BUSY))
        self.assertEqual(self.refused(other.until(CallChange.ESTABLISHED)), Status.BUSY)
        self.assertEqual((other.over, call.state), (True, ConnectionState.HELD))

    def test_a_call_that_comes_to_nothing_goes_away(self) -> None:
        made = self.now(self.agent.make_call("1002"))
        self.pass_time(40)
        self.assertEqual((made.over, list(self.agent.calls)), (True, []))
        self.assertEqual(self.refused(made.until(CallChange.ESTABLISHED)), Status.NO_ANSWER)

    def test_who_gives_up_a_call_that_rings_waits_for_its_end_alone(self) -> None:
        made = self.now(self.agent.make_call("1002"))
        self.picks_up("1001")
        self.now(made.clear())
        self.now(made.until(CallChange.CLEARED))
        self.assertIn("failed", self.heard.changes)

    def test_a_wait_on_a_call_that_is_over_fails(self) -> None:
        call = self.talking()
        waiting = self.begin(call.until(CallChange.HELD, timeout=None))
        self.hangs_up(call.id)
        self.assertIs(self.failureResultOf(waiting, CallError).value.status, Status.NO_SUCH_CALL)

    def test_a_wait_is_bounded(self) -> None:
        waiting = self.begin(self.talking().until(CallChange.HELD, timeout=5))
        self.pass_time(6)
        self.failureResultOf(waiting, RequestTimedOut)

    def test_behind_a_logout_nothing_is_asked(self) -> None:
        call = self.talking()
        waiting = self.begin(call.until(CallChange.HELD, timeout=None))
        self.now(self.agent.logout())
        self.assertIs(self.failureResultOf(waiting, CallError).value.status, Status.AGENT_NOT_LOGGED_IN)
        self.assertEqual(self.refused(call.hold()), Status.AGENT_NOT_LOGGED_IN)
        self.assertEqual((list(self.agent.calls), len(self.control.monitors)), ([], 0))

    def test_a_client_that_has_stopped_says_so(self) -> None:
        call = self.talking()
        stopped = self.client.stopService()
        self.exchange.pump()
        self.successResultOf(stopped)
        self.failureResultOf(self.begin(call.hold()), NotBound)

    def test_a_login_that_is_refused_leaves_nothing_behind(self) -> None:
        self.now(self.agent.logout())
        self.assertEqual(self.refused(self.client.login("2000")), Status.NOT_ALLOWED_HERE)
        self.assertEqual((len(self.control.monitors), self.client.monitoring.follows("2000")), (0, False))

    def test_an_application_for_hand_offs_alone_hears_of_no_calls(self) -> None:
        agent = self.login("1002", calls=False)
        self.talks("1002")
        self.assertEqual((list(agent.calls), agent.state), ([], None))
        self.assertEqual(self.refused(agent.make_call("1003")), Status.NOT_SUPPORTED)


class WithoutCallControlTests(DeskCase):
    """An exchange that controls no calls."""

    with_platform = False

    def test_the_methods_say_so_and_all_else_goes_on(self) -> None:
        service = self.exchange.service()
        agent = self.login()
        self.assertEqual((list(agent.calls), agent.state), ([], None))
        self.assertEqual(self.refused(agent.make_call("1002")), Status.NOT_SUPPORTED)
        self.assertEqual(self.refused(agent.set_state(AgentStateCode.READY)), Status.NOT_SUPPORTED)
        self.assertEqual(self.refused(self.client.monitor("1002")), Status.NOT_SUPPORTED)
        self.assertEqual(self.client.monitoring.follows("1002"), False)
        self.now(agent.connect("bill", CUSTOMER))
        self.assertEqual(len(service.connections), 1)


class LostLinkTests(CallsCase):
    """Links that are lost: the snapshot shows the truth, and nothing is asked twice."""

    def back(self) -> None:
        self.pass_time(3)

    def test_what_happened_meanwhile_is_in_the_snapshot(self) -> None:
        stays, goes = self.talking(), self.rings("1002")
        second = self.login("1002")
        [gone] = second.calls
        self.ends.reachable = False
        self.lose_link()
        self.assertFalse(self.agent.monitored.up_to_date)
        self.assertEqual([*self.agent.calls], [stays], "as it was when the link was lost")
        self.hangs_up(goes)
        self.board.press_hold(self.leg_of("1001"))
        self.exchange.pump()
        self.heard.events.clear()
        self.ends.reachable = True
        self.back()
        self.assertEqual((list(second.calls), gone.over), ([], True))
        self.assertEqual(([*self.agent.calls], stays.state), ([stays], ConnectionState.HELD_AT_PHONE))
        self.assertEqual((self.heard.changes, self.agent.monitored.up_to_date), (["shown"], True))

    def test_calls_that_are_gone_are_told_as_cleared(self) -> None:
        call = self.talking()
        self.ends.reachable = False
        self.lose_link()
        self.hangs_up(call.id)
        self.ends.reachable = True
        self.back()
        self.assertEqual((self.heard.changes[-1], call.over, self.heard.events[-1][0]), ("cleared", True, call))

    def test_what_has_not_changed_is_told_once(self) -> None:
        self.talking()
        before = len(self.heard.events), len(self.heard.states)
        self.lose_link()
        self.back()
        self.assertEqual((len(self.heard.events), len(self.heard.states)), before)

    def test_an_action_whose_answer_was_lost_is_not_repeated(self) -> None:
        call = self.talking()
        asked = ensureDeferred(call.hold())
        self.ends.pairs[-1].deliver(to_first=True)  # the exchange gets it, and its answer is lost
        self.lose_link()
        self.failureResultOf(asked, LinkLost)
        self.failureResultOf(self.begin(call.until(CallChange.HELD)), LinkLost)
        self.back()
        self.assertEqual((call.state, self.platform.orders.count("part")), (ConnectionState.HELD, 1))

    def test_without_a_link_nothing_is_asked(self) -> None:
        call = self.talking()
        self.ends.reachable = False
        self.lose_link()
        for asked in (call.hold(), self.agent.make_call("1002"), self.agent.set_state(AgentStateCode.READY)):
            self.failureResultOf(self.begin(asked), LinkLost)
        self.ends.reachable = True
        self.back()
        self.assertEqual(self.platform.orders, [])

    def test_a_wait_for_a_state_waits_lost_links_out(self) -> None:
        self.now(self.agent.set_state(AgentStateCode.NOT_READY))
        waiting = self.begin(self.agent.until_state(AgentStateCode.READY))
        self.lose_link()
        self.back()
        self.assertNoResult(waiting)
        self.now(self.agent.set_state(AgentStateCode.READY))
        self.successResultOf(waiting)

    def test_an_application_that_is_stopped_and_started_follows_again(self) -> None:
        call = self.talking()
        self.client.stopService()
        self.client.startService()
        self.back()
        self.assertEqual([*self.agent.calls], [call])
        self.now(call.hold())

    def test_another_link_takes_the_number_over(self) -> None:
        call = self.talking()
        other, _ = self.new_client()
        agent = self.now(other.login("1001"))
        self.assertEqual(([one.id for one in agent.calls], list(self.agent.calls)), ([call.id], []))
        self.assertEqual(self.refused(call.hold()), Status.SESSION_TAKEN_OVER)
        self.assertEqual(len(list(self.control.monitors.of("1001"))), 1)


class DataTests(CallsCase):
    """The data of a call, by compare-and-set."""

    def test_changes_of_two_desks_are_both_kept(self) -> None:
        call = self.talking()
        lead, _ = self.new_client("lead")
        [seen] = self.now(lead.monitor("1001")).calls
        self.now(call.update(order="4711", hurry=True))
        both = [ensureDeferred(one) for one in (call.update(a=1), seen.update(b=2))]
        self.exchange.pump()
        for one in both:
            self.successResultOf(one)
        self.assertEqual(call.data, Fields({"order": "4711", "hurry": True, "a": 1, "b": 2}))
        self.assertEqual((call.version, seen.data), (3, call.data))

    def test_fields_go(self) -> None:
        call = self.talking()
        self.now(call.update(order="4711", hurry=True))
        self.now(call.update(EMPTY, ["hurry"]))
        self.assertEqual(call.data, Fields({"order": "4711"}))

    def test_what_was_shown_is_changed_or_nothing_is(self) -> None:
        call = self.talking()
        self.now(call.put(Fields({"order": "1"})))
        shown = call.version
        self.now(call.update(order="2"))
        self.assertEqual(self.refused(call.put(Fields({"order": "3"}), version=shown)), Status.DUPLICATE_SERIAL)
        self.assertEqual((call.data["order"], call.version), ("2", 2))

    def test_a_change_whose_answer_was_lost_is_not_repeated(self) -> None:
        call = self.talking()
        asked = ensureDeferred(call.update(order="4711"))
        self.lose_link()
        self.failureResultOf(asked, LinkLost)
        self.pass_time(3)
        self.assertEqual(call.data, EMPTY)


class SupervisorTests(CallsCase):
    """Numbers that are only supervised."""

    def setUp(self) -> None:
        super().setUp()
        self.lead, self.lead_ends = self.new_client("lead")

    def test_a_supervisor_listens_whispers_barges_and_takes_over(self) -> None:
        call = self.talking()
        heard = Heard()
        monitored = self.now(self.lead.monitor("1001", **heard.listeners))
        [seen] = monitored.calls
        self.assertEqual((seen.id, heard.changes, heard.state_words), (call.id, ["shown"], ["busy"]))
        self.assertTrue(seen.allows(Action.LISTEN))
        self.assertFalse(call.allows(Action.LISTEN))
        self.now(seen.listen(SUPERVISOR))
        self.picks_up(SUPERVISOR)
        self.now(seen.until(CallChange.SUPERVISION_CHANGED))
        self.now(seen.whisper(SUPERVISOR))
        self.now(seen.barge(SUPERVISOR))
        self.now(seen.stop_supervision())
        self.now(seen.intercept(SUPERVISOR))
        self.picks_up(SUPERVISOR)
        self.assertEqual((self.together(), seen.over), (together((CUSTOMER, SUPERVISOR)), True))

    def test_a_supervisor_forces_a_state(self) -> None:
        monitored = self.now(self.lead.monitor("1001"))
        self.now(monitored.set_state(AgentStateCode.NOT_READY, "meeting"))
        assert self.agent.state is not None
        self.assertEqual((self.agent.state.by, self.agent.state.reason), ("lead", "meeting"))

    def test_an_agent_is_no_supervisor(self) -> None:
        call = self.talking()
        self.assertEqual(self.refused(call.listen("1002")), Status.NO_SUCH_CALL)
        self.assertEqual(self.refused(self.client.monitor(SUPERVISOR)), Status.NOT_ALLOWED_HERE)

    def test_nobody_is_handed_over_by_who_only_supervises(self) -> None:
        self.talking()
        [seen] = self.now(self.lead.monitor("1001")).calls
        self.assertEqual(self.refused(seen.connect("bill")), Status.NOT_ALLOWED_HERE)

    def test_it_goes_on_over_lost_links_until_it_is_stopped(self) -> None:
        monitored = self.now(self.lead.monitor("1001"))
        self.lead_ends.pairs[-1].disconnect(clean=False)
        call = self.talking()
        self.pass_time(3)
        self.assertEqual([one.id for one in monitored.calls], [call.id])
        self.now(monitored.stop())
        self.assertEqual(list(monitored.calls), [])
        self.assertEqual(len(list(self.control.monitors.of("1001"))), 1, "the agent's own")

    def test_a_wait_for_the_snapshot_is_bounded_and_leaves_nothing(self) -> None:
        self.lead_ends.reachable = False
        self.lead_ends.pairs[-1].disconnect(clean=False)
        waiting = self.begin(self.lead.monitor("1001", timeout=1))
        self.pass_time(2)
        self.failureResultOf(waiting, RequestTimedOut)
        self.assertFalse(self.lead.monitoring.follows("1001"))


# ---------------------------------------------------------------- what holds of any events and snapshots

_IDS = st.sampled_from(["a", "b", "c"])
_OWN = CallParty("p1", PartyRole.AGENT, "", "1001", ConnectionState.CONNECTED)
_OTHER = CallParty("p2", PartyRole.CUSTOMER, CUSTOMER, "", ConnectionState.CONNECTED)
_PARTIES = st.sampled_from([(), (_OWN,), (_OTHER,), (_OTHER, _OWN)])
_EVENTS = st.builds(
    lambda event, id, parties: CallEvent("1001", 0, event, 0, 0, "", id, "1", parties=parties),
    st.sampled_from([*CallChange, 200]), _IDS, _PARTIES,
)  # fmt: skip
_SNAPSHOTS = st.lists(_IDS, unique=True)


class _NoMonitoring:
    reactor = within = None


class AnythingTests(DeskCase):
    """The list of calls, whatever is told in whatever order."""

    with_platform = False

    def calls(self, told: list[tuple[str, int, bool]]) -> CallList:
        number = MonitoredNumber(_NoMonitoring(), "1001", CallListeners())  # type: ignore[arg-type]
        return CallList(
            lambda id: ClientCall(number, id), lambda call, event: told.append((call.id, event.event, call.over))
        )

    @settings(deadline=None)
    @given(st.lists(st.one_of(_EVENTS, _SNAPSHOTS)))
    def test_a_call_is_there_as_long_as_the_agent_is_in_it(self, steps: list[CallEvent | list[str]]) -> None:
        told: list[tuple[str, int, bool]] = []
        calls = self.calls(told)
        there: set[str] = set()
        for step in steps:
            told.clear()
            if isinstance(step, CallEvent):
                calls.happened(step)
                mine = any(party.agent for party in step.parties) and step.event != CallChange.CLEARED
                failed = step.event == CallChange.FAILED and not step.parties and step.call in there
                there = there | {step.call} if mine or failed else there - {step.call}
                self.assertEqual(told, [(step.call, step.event, step.call not in there)])
            else:
                pages = [Snapshot("1001", 0, SnapshotPage.MORE, id, "1", parties=(_OWN,)) for id in step]
                calls.replace(pages, 0)
                self.assertEqual(
                    {id for id, event, _ in told if event == CallChange.CLEARED}, there - set(step), "gone: told"
                )
                there = set(step)
            self.assertEqual({call.id for call in calls}, there)
            self.assertFalse(any(call.over for call in calls))

    def test_a_call_that_was_just_begun_outlives_a_snapshot_on_its_link_alone(self) -> None:
        calls = self.calls([])
        calls.begin(CallControlReply(0, "a", "1"))
        calls.replace([], 0)
        self.assertEqual([call.id for call in calls], ["a"])
        calls.another_link()
        calls.replace([], 0)
        self.assertEqual(list(calls), [])

    def test_events_are_found_again_up_to_a_bound(self) -> None:
        calls = self.calls([])
        for _ in range(1_005):
            calls.happened(CallEvent("1001", 0, CallChange.HELD, 0, 0, "", "a", "1", parties=(_OWN,)))
        self.assertEqual([len(calls.events_since(count)) for count in (0, 1_000, 1_005)], [1_000, 5, 0])


def test_what_a_control_carries_is_hidden() -> None:
    assert CUSTOMER not in repr(CallControl(Action.DIGITS, "1001", value=CUSTOMER))
