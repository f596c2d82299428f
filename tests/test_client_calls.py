"""The client's side of call control, at an exchange in memory: what it shows, and each action."""

from __future__ import annotations

from twisted.internet.defer import ensureDeferred
from twisted.logger import capturedLogs, formatEvent

from ctiex.call_messages import (
    Action,
    AgentStateCode,
    CallChange,
    CallControl,
    ConnectionState,
)
from ctiex.fields import Fields
from ctiex.messages import Condition

from .desk_bench import CUSTOMER, CallsCase, Heard, together


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


def test_what_a_control_carries_is_hidden() -> None:
    assert CUSTOMER not in repr(CallControl(Action.DIGITS, "1001", value=CUSTOMER))
