"""What an Asterisk is asked to do with legs."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ctiex.errors import LinkLost, RequestTimedOut
from ctiex.interfaces.call_platform import (
    CallDestination,
    CallOut,
    Confer,
    Connect,
    DestinationKind,
    DialFailed,
    Function,
    Leg,
    LegState,
    QueueMembership,
    RecordingState,
    Supervise,
    Supervision,
    ToDesk,
)
from ctiex.interfaces.telephony import OrderRefused
from ctiex.telephony.asterisk.ami_link import ActionRefused

from .asterisk_legs_case import AGENT, CUSTOMER, NAMES, OTHER, AsteriskCase, success

_NAMES_OF_CHANNELS = {"CTIEX_DESK_CHANNEL", "CTIEX_PEER", "CTIEX_WITH"}


class CallingTests(AsteriskCase):
    """Orders to call."""

    def order(self, id: str = "leg-1", on_answer: Any = None, name: str = "1001", **more: Any) -> Deferred[None]:
        kind = DestinationKind.AGENT if len(name) == 4 else DestinationKind.NUMBER
        out = CallOut(id, "call-1", CallDestination(kind, name), on_answer or ToDesk(), 20, **more)
        return self.platform.call(out)

    def test_the_leg_is_what_was_ordered(self) -> None:
        self.order(on_answer=Connect(AGENT), desk=AGENT, shown="4321", name="13800138000")
        [(name, headers)] = self.asked()
        self.assertEqual(name, "Originate")
        self.assertEqual((headers["Channel"], headers["ChannelId"]), ("PJSIP/13800138000@core", "leg-1"))
        self.assertEqual((headers["CallerID"], headers["Timeout"], headers["Async"]), ("<4321>", "20000", "true"))
        self.tell("Newchannel", Uniqueid="leg-1", Channel="PJSIP/core-00000009", ChannelState="0", CallerIDNum="4321")
        leg = self.leg("leg-1")
        self.assertEqual((leg.call, leg.desk, leg.number, leg.outbound), ("call-1", AGENT, "13800138000", True))
        self.tell("DialBegin", DestUniqueid="leg-1", DestCallerIDNum="4321")
        self.tell("Newstate", Uniqueid="leg-1", ChannelState="6")
        self.assertEqual(leg.number, "13800138000")
        self.tell("Hangup", Uniqueid="leg-1", Cause="16")
        self.assertFalse([one for one in self.told.all if isinstance(one, DialFailed)])
        self.assertEqual(self.platform.kept, 0)

    def test_why_nobody_was_reached(self) -> None:
        cases = ((17, False, 63), (21, True, 63), (1, False, 65), (19, True, 64), (19, False, 66), (0, True, 64),
                 (16, True, 64), (34, False, 66), (0, False, 66))  # fmt: skip
        for number, (cause, rings, status) in enumerate(cases):
            id = f"leg-{number}"
            self.order(id)
            self.tell("Newchannel", Uniqueid=id, Channel=f"PJSIP/1001-0000000{number}", ChannelState="0")
            if rings:
                self.tell("Newstate", Uniqueid=id, ChannelState="5")
            self.tell("OriginateResponse", Uniqueid=id, Response="Failure", Reason="0")
            self.tell("Hangup", Uniqueid=id, Cause=str(cause))
            self.assertEqual(self.told.all[-1], DialFailed(id, status, cause))
        self.asked()
        self.assertEqual(self.platform.kept, 0)

    def test_a_device_without_a_channel_is_out_of_service(self) -> None:
        self.order()
        self.tell("OriginateResponse", Uniqueid="leg-1", Response="Failure", Reason="0")
        self.assertEqual(self.told.all, ["taken up", DialFailed("leg-1", 66)])

    def test_what_is_told_before_the_answer_is_heard(self) -> None:
        self.order()
        _, _, answer = self.client.asked.popleft()
        event = self.message("OriginateResponse", Uniqueid="leg-1", Response="Failure")
        self.client.answered(answer, success(), [event])
        self.assertEqual(self.told.all[-1], DialFailed("leg-1", 66))

    def test_nothing_unchecked_gets_into_an_action(self) -> None:
        wrong = (
            {"name": "100&"}, {"name": "1;2,3"}, {"name": "1" * 33}, {"name": ""}, {"id": "a b"}, {"id": "x" * 81},
            {"shown": "1>"}, {"desk": "a,b"}, {"on_answer": Confer("room,1")}, {"on_answer": Connect("")},
            {"on_answer": Supervise("a\nb", Supervision.LISTEN)},
        )  # fmt: skip
        for one in wrong:
            self.failureResultOf(self.order(**one), OrderRefused)  # type: ignore[arg-type]
        customer, _ = self.call()
        for kind, name in (
            (DestinationKind.QUEUE, "a,b"),
            (DestinationKind.NUMBER, "1&2"),
            (DestinationKind.AGENT, "a"),
        ):
            self.failureResultOf(self.platform.send(customer, CallDestination(kind, name), 20), OrderRefused)
        self.failureResultOf(self.platform.record(customer, RecordingState.ON, "../etc"), OrderRefused)
        self.failureResultOf(self.platform.send_digits(customer, "12x"), OrderRefused)
        self.failureResultOf(self.platform.tag(customer, "a=b"), OrderRefused)
        self.failureResultOf(self.platform.confer((customer,), "a b"), OrderRefused)
        self.failureResultOf(self.platform.confer((), "room"), OrderRefused)
        self.failureResultOf(self.platform.queue_log_in("1001", "", ("a b",), ""), OrderRefused)
        self.failureResultOf(self.platform.queue_log_in("1001", "", ("a",), "two\nlines"), OrderRefused)
        self.failureResultOf(self.platform.answer(customer), OrderRefused)
        self.assertEqual(self.asked(), [])

    def test_a_refused_order_is_forgotten_and_a_lost_one_is_found_out(self) -> None:
        refused, lost = self.order(), self.order("leg-2")
        _, _, first = self.client.asked.popleft()
        self.client.answered(first, Failure(ActionRefused("Originate: no")), [])
        self.failureResultOf(refused, OrderRefused)
        _, _, second = self.client.asked.popleft()
        self.client.connected = False
        second.errback(LinkLost("cut"))
        self.failureResultOf(lost, LinkLost)
        self.client.on_lost()
        self.log_in()
        self.assertEqual(self.told.all[1:], ["away", "taken up", DialFailed("leg-2", 66)])


class OrderTests(AsteriskCase):
    """Orders that move legs."""

    def test_part_and_connect(self) -> None:
        customer, agent = self.call()
        done = self.platform.part(customer, agent)
        *variables, (name, redirect) = self.asked()
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(name, "Redirect")
        self.assertEqual((redirect["Channel"], redirect["Context"]), (CUSTOMER, "ctiex-held"))
        self.assertEqual((redirect["ExtraChannel"], redirect["ExtraContext"]), (AGENT, "ctiex-desk"))
        told = {(one["Channel"], one["Variable"]): one["Value"] for _, one in variables}
        self.assertEqual(told[CUSTOMER, "CTIEX_DESK"], AGENT)
        self.assertEqual(told[CUSTOMER, "CTIEX_DESK_CHANNEL"], NAMES[AGENT])
        self.assertEqual(told[AGENT, "CTIEX_HOLDS"], NAMES[CUSTOMER])
        self.assertEqual(told[CUSTOMER, "CTIEX_FALLBACK"], "queues,400,1")
        self.assertEqual(customer.desk, AGENT)
        self.at_desk(AGENT)
        self.platform.connect(customer, agent)
        *variables, (_, redirect) = self.asked()
        told = {(one["Channel"], one["Variable"]): one["Value"] for _, one in variables}
        self.assertEqual(told[CUSTOMER, "CTIEX_PEER"], NAMES[AGENT])
        self.assertEqual((redirect["Channel"], redirect["Context"]), (CUSTOMER, "ctiex-connect"))
        self.assertNotIn("ExtraChannel", redirect)
        self.platform.part(customer, agent)  # from here on one order does it
        *variables, (_, redirect) = self.asked()
        self.assertNotIn("ExtraChannel", redirect)
        self.assertEqual([one["Variable"] for _, one in variables], ["CTIEX_DESK", "CTIEX_DESK_CHANNEL"])

    def test_the_dialplan_looks_for_channels_by_their_names(self) -> None:
        """By an id it finds any channel whose id begins so: 1.1 is 1.11 too, another customer."""
        text = "".join(path.read_text() for path in (files("ctiex.telephony") / "dialplan").iterdir())
        sought = set(re.findall(r"\b(?:IMPORT|Bridge|ChannelRedirect)\(\$\{(\w+)\}", text))
        self.assertEqual(sought - {"CTIEX_ONE", "CTIEX_JOINED", "CTIEX_AGENT_CHANNEL"}, _NAMES_OF_CHANNELS)

    def test_a_ringing_leg_is_never_moved(self) -> None:
        _, agent = self.call()
        agent.state = LegState.ALERTING
        self.failureResultOf(self.platform.to_desk(agent), OrderRefused)
        self.assertEqual(self.asked(), [])

    def test_where_an_order_is_refused_nothing_is_different(self) -> None:
        customer, agent = self.call()
        done = self.platform.part(customer, agent)
        while self.client.asked:
            name, _, answer = self.client.asked.popleft()
            refused = Failure(ActionRefused("Redirect: ExtraChannel does not exist"))
            self.client.answered(answer, refused if name == "Redirect" else success(), [])
        self.failureResultOf(done, OrderRefused)
        self.assertEqual(customer.desk, "")

    def test_a_transferred_customer_is_no_matter_of_the_agent_any_more(self) -> None:
        customer, agent = self.call()
        self.tell("Newchannel", OTHER, ChannelState="0")
        self.tell("DialBegin", Uniqueid="", DestUniqueid=OTHER)
        self.tell("Newstate", OTHER, ChannelState="6")
        self.at_desk(AGENT)
        self.platform.hold(customer, agent)
        self.platform.connect(customer, self.leg(OTHER))
        self.assertEqual((customer.desk, self.leg(OTHER).desk), ("", ""))

    def test_an_end_of_what_has_ended_is_no_error(self) -> None:
        done = self.platform.hang_up(Leg("9.9"))
        _, _, answer = self.client.asked.popleft()
        self.client.answered(answer, Failure(ActionRefused("Hangup: No such channel")), [])
        self.assertIsNone(self.successResultOf(done))

    def test_an_order_that_isnt_answered_has_everything_looked_at_again(self) -> None:
        said: list[str] = []
        self.client.reconnect = said.append  # type: ignore[method-assign]
        customer, _ = self.call()
        done = self.platform.to_desk(customer)
        while self.client.asked:
            _, _, answer = self.client.asked.popleft()
            self.client.answered(answer, Failure(RequestTimedOut("Redirect")), [])
        self.failureResultOf(done, RequestTimedOut)
        self.assertEqual(len(said), 1)

    def test_recording_goes_by_the_channel_that_records(self) -> None:
        customer, _ = self.call()
        self.platform.record(customer, RecordingState.ON, "call-1")
        [(_, headers)] = [one for one in self.asked() if one[0] == "Originate"]
        self.assertEqual((headers["Channel"], headers["Context"]), ("Local/s@ctiex-record/n", "ctiex-recorded"))
        self.tell("Newchannel", Uniqueid="3.1", Channel="Local/s@ctiex-record-00000001;1", ChannelState="0")
        self.tell("ChanSpyStart", SpyerUniqueid="3.1", SpyeeUniqueid=CUSTOMER)
        self.assertIs(customer.recording, RecordingState.ON)
        self.platform.record(customer, RecordingState.PAUSED, "call-1")
        self.assertIn(("Hangup", {"Channel": "3.1", "Cause": "16"}), self.asked())
        self.tell("Hangup", Uniqueid="3.1", Cause="16")
        self.assertIs(customer.recording, RecordingState.PAUSED)
        self.platform.record(customer, RecordingState.OFF, "call-1")
        self.assertIs(customer.recording, RecordingState.OFF)


class NotifyTests(AsteriskCase):
    """Where telephones answer by NOTIFY."""

    more = {"answer_by_notify": True}

    def test_a_telephone_is_told_to_answer(self) -> None:
        self.assertIn(Function.ANSWER, self.platform.functions)
        _, agent = self.call()
        self.platform.answer(agent)
        self.assertEqual(self.asked(), [("PJSIPNotify", {"Endpoint": "1001", "Variable": "Event=talk"})])


class QueueTests(AsteriskCase):
    """Queues."""

    def member(self, event: str, interface: str = "PJSIP/1001", queue: str = "support", **more: str) -> None:
        told = {"MemberName": "1001", "Paused": "1", "Queue": queue, "Interface": interface, **more}
        self.tell(event, **told)

    def test_what_a_queue_knows_of_an_agent(self) -> None:
        self.member("QueueMemberAdded", PausedReason="begins")
        known = QueueMembership("1001", "1001", ("support",), True, "begins")
        self.assertEqual((self.platform.membership("1001"), self.told.all[-1]), (known, known))
        self.member("QueueMemberPause", Paused="0", Reason="over")
        self.assertEqual(self.told.all[-1], QueueMembership("1001", "1001", ("support",), False))
        self.member("QueueMemberRemoved")
        self.assertIsNone(self.platform.membership("1001"))
        self.assertEqual(self.told.all[-1], QueueMembership("1001", "1001", (), False))

    def test_a_member_of_the_queues_own_configuration(self) -> None:
        self.member("QueueMemberAdded", MemberName="PJSIP/1001", Paused="0")
        self.assertEqual(self.platform.membership("1001"), QueueMembership("1001", "1001", ("support",), False))
        self.member("QueueMemberAdded", "PJSIP/somebody", MemberName="somebody")
        self.assertIsNone(self.platform.membership("somebody"))

    def test_an_agent_off_the_hook_is_busy_as_long_as_somebody_is_held_for_them(self) -> None:
        customer, agent = self.call()
        self.at_desk(AGENT)
        self.platform.queue_log_in("1001", "", ("support",), "begins")
        asked = self.asked()
        adding = next(headers for name, headers in asked if name == "QueueAdd")
        self.assertEqual((adding["Interface"], adding["StateInterface"]), ("Local/1001@ctiex-join", "Custom:1001"))
        self.member("QueueMemberAdded", "Local/1001@ctiex-join")
        self.assertEqual(self.platform.membership("1001").device, "1001")  # type: ignore[union-attr]
        self.platform.hold(customer, agent)
        self.bridged(AGENT, "b3")
        self.at_desk(AGENT)
        self.assertEqual(self.states(), ["INUSE"])
        self.tell("Hangup", CUSTOMER, Cause="16")
        self.assertEqual(self.states(), ["NOT_INUSE"])
        self.tell("Hangup", AGENT, Cause="16")
        self.assertEqual(self.states(), ["UNAVAILABLE"], "the dialplan's own may have been overtaken")

    def states(self) -> list[str]:
        return [
            headers["Value"] for _, headers in self.asked() if headers.get("Variable", "").startswith("DEVICE_STATE")
        ]
