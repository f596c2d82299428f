"""Calls as the client has them where something is refused, and where links are lost."""

from __future__ import annotations

from twisted.internet.defer import ensureDeferred

from ctiex.call_messages import (
    AgentStateCode,
    CallChange,
    ConnectionState,
)
from ctiex.errors import CallError, LinkLost, NotBound, RequestTimedOut, Status

from .desk_bench import CUSTOMER, OUTSIDE_BUSY, CallsCase, DeskCase


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
        self.assertEqual(self.refused(self.client.login("2000", calls=True)), Status.NOT_ALLOWED_HERE)
        self.assertEqual((len(self.control.monitors), self.client.monitoring.follows("2000")), (0, False))

    def test_an_application_for_hand_offs_alone_hears_of_no_calls(self) -> None:
        agent = self.now(self.client.login("1002"))
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
        agent = self.now(other.login("1001", calls=True))
        self.assertEqual(([one.id for one in agent.calls], list(self.agent.calls)), ([call.id], []))
        self.assertEqual(self.refused(call.hold()), Status.SESSION_TAKEN_OVER)
        self.assertEqual(len(list(self.control.monitors.of("1001"))), 1)
