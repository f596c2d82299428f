"""The data of calls, supervised numbers, and what holds of any events and snapshots."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import ensureDeferred

from ctiex.call_messages import (
    Action,
    AgentStateCode,
    CallChange,
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
from ctiex.errors import LinkLost, RequestTimedOut, Status
from ctiex.fields import EMPTY, Fields
from ctiex.testing.fakes import WaitingStore

from .desk_bench import CUSTOMER, SUPERVISOR, CallsCase, DeskCase, Heard, together

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


class SlowStoreTests(CallsCase):
    """Data that the store takes its time for."""

    def new_store(self) -> WaitingStore:
        self.waiting = WaitingStore()
        self.waiting.waits = False
        return self.waiting

    def test_a_change_waits_for_the_one_before(self) -> None:
        call = self.talking()
        self.waiting.waits = True
        first, second = ensureDeferred(call.update(a=1)), ensureDeferred(call.update(b=2))
        self.exchange.pump()
        self.assertNoResult(first)
        self.waiting.fire()
        self.exchange.pump()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.pass_time(0.5)
        self.waiting.fire()
        self.exchange.pump()
        self.successResultOf(second)
        self.assertEqual((call.data, call.version), (Fields({"a": 1, "b": 2}), 2))

    def test_a_change_that_is_never_kept_is_given_up(self) -> None:
        call = self.talking()
        self.waiting.waits = True
        first, second = ensureDeferred(call.update(a=1)), ensureDeferred(call.update(EMPTY, timeout=2, b=2))
        self.pass_time(12)
        self.failureResultOf(first, RequestTimedOut)
        self.failureResultOf(second, RequestTimedOut)
        self.waiting.fire()
        self.exchange.pump()
        self.assertEqual(call.data, Fields({"a": 1}), "an event tells what is kept in the end")


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
