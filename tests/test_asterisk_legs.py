"""What the events and lists of an Asterisk say of its legs, and what it is asked to do with them."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ctiex.errors import LinkLost, RequestTimedOut
from ctiex.interfaces.call_platform import (
    AttendedTransferSeen,
    BlindTransferSeen,
    CallDestination,
    CallOut,
    Confer,
    Connect,
    DestinationKind,
    DialFailed,
    Function,
    ICallPlatform,
    ICallPlatformListener,
    ILegs,
    Leg,
    LegGone,
    LegPlace,
    LegState,
    PlatformEvent,
    QueueMembership,
    RecordingState,
    Supervise,
    Supervision,
    ToDesk,
)
from ctiex.interfaces.telephony import OrderRefused
from ctiex.settings import structure
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.ami_link import ActionRefused
from ctiex.telephony.asterisk.platform import AsteriskPlatform
from ctiex.telephony.asterisk.settings import AsteriskSettings
from ctiex.telephony.leg_model import LegModel
from ctiex.testing.signalling_contract import RecordingListener

from .asterisk_world import WaitingClient

TABLE = {
    "username": "ctiex",
    "secret": "x",
    "dial": "PJSIP/{access_code}@core",
    "customers": "PJSIP/trunk-",
    "fallback": "queues,400,1",
    "number_dial": "PJSIP/{number}@core",
    "queue_place": "queues,{queue},1",
    "calling_number": "4000",
}
CUSTOMER, AGENT, OTHER = "1.0", "1.1", "1.2"
NAMES = {CUSTOMER: "PJSIP/trunk-00000000", AGENT: "PJSIP/1001-00000001", OTHER: "PJSIP/1002-00000002"}


@implementer(ICallPlatformListener)
class Told:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    def taken_up(self) -> Iterator[None]:
        """A snapshot."""
        self.all.append("taken up")
        yield

    def away(self) -> None:
        """Events are missed."""
        self.all.append("away")

    def changed(self, leg: Leg) -> None:
        """A leg."""
        self.all.append(copy(leg))

    def happened(self, event: PlatformEvent) -> None:
        """Something else."""
        self.all.append(event)


class Silent:
    """The hand-off's side: hears everything and says nothing."""

    def take_up(self, snapshot: object) -> Iterator[None]:
        """A snapshot."""
        yield

    def caught_up(self) -> Iterator[None]:
        """All told."""
        yield

    def happened(self, event: object) -> None:
        """Something."""


def success() -> AmiMessage:
    return AmiMessage((("Response", "Success"),))


class AsteriskCase(SynchronousTestCase):
    """A platform on a wire that the test writes."""

    more: dict[str, Any] = {}

    def setUp(self) -> None:
        self.clock = Clock()
        settings = structure({**TABLE, **self.more}, AsteriskSettings)
        self.platform = AsteriskPlatform(self.clock, settings, {}, WaitingClient)
        self.client: WaitingClient = self.platform._client
        self.told = Told()
        self.platform.watch(self.told)
        self.platform.start(Silent())  # type: ignore[arg-type]
        self.log_in()

    # ------------------------------------------------------------ the wire

    def log_in(self, **lists: list[dict[str, str]]) -> None:
        """Let it in, and answer its lists."""
        self.client.log_in()
        for action, event in (("BridgeList", "BridgeListItem"), ("Status", "Status"), ("QueueStatus", "")):
            name, _, answer = self.client.asked.popleft()
            self.assertEqual(name, action)
            rows = [self.message(event or row["Event"], **row) for row in lists.get(action, [])]
            self.client.answered(answer, success(), rows)
        self.clock.pump([0.0] * 20)
        self.assertTrue(self.platform.connected)

    @staticmethod
    def message(event: str, **headers: str) -> AmiMessage:
        variables = headers.pop("Variables", "")
        pairs = [("Event", event), *((key, value) for key, value in headers.items() if key != "Event")]
        return AmiMessage((*pairs, *(("Variable", one) for one in variables.split("|") if one)))

    def tell(self, event: str, id: str = "", **headers: str) -> None:
        """An event, of a channel where one is named."""
        named = {"Uniqueid": id, "Channel": NAMES.get(id, "")} if id else {}
        self.client.on_event(self.message(event, **{**named, **headers}))

    def asked(self) -> list[tuple[str, dict[str, str]]]:
        """What was asked, and is answered by success."""
        asked = []
        while self.client.asked:
            name, headers, answer = self.client.asked.popleft()
            asked.append((name, headers))
            self.client.answered(answer, success(), [])
        return asked

    def leg(self, id: str) -> Leg:
        leg = self.platform.legs.leg(id)
        assert leg is not None
        return leg

    # ------------------------------------------------------------ a call

    def bridged(self, id: str, bridge: str = "b1", **more: str) -> None:
        told = {"BridgeType": "basic", "BridgeName": "<unknown>", "BridgeCreator": "<unknown>", **more}
        self.tell("BridgeEnter", id, BridgeUniqueid=bridge, **told)

    def at_desk(self, id: str) -> None:
        self.bridged(id, "d1", BridgeType="base", BridgeName=f"ctiex-desk-{id}", BridgeCreator="BridgeWait")

    def call(self) -> tuple[Leg, Leg]:
        """A customer calls an agent."""
        self.tell("Newchannel", CUSTOMER, ChannelState="4", CallerIDNum="13800138000")
        self.tell("Newchannel", AGENT, ChannelState="0", CallerIDNum="<unknown>")
        self.tell("DialBegin", CUSTOMER, DestUniqueid=AGENT, DestCallerIDNum="1001")
        self.tell("Newstate", AGENT, ChannelState="5")
        self.tell("Newstate", AGENT, ChannelState="6")
        self.tell("Newstate", CUSTOMER, ChannelState="6")
        self.bridged(CUSTOMER)
        self.bridged(AGENT)
        return self.leg(CUSTOMER), self.leg(AGENT)


class EventTests(AsteriskCase):
    """Events."""

    def test_it_is_a_call_platform(self) -> None:
        verifyObject(ICallPlatform, self.platform)
        verifyObject(ILegs, self.platform.legs)
        self.assertIn(Function.QUEUES, self.platform.functions)
        self.assertNotIn(Function.ANSWER, self.platform.functions)

    def test_a_call_from_its_beginning_to_its_end(self) -> None:
        customer, agent = self.call()
        self.assertEqual((customer.number, customer.call, customer.outbound), ("13800138000", CUSTOMER, False))
        self.assertEqual((agent.agent, agent.call, agent.dialled_by), ("1001", CUSTOMER, CUSTOMER))
        self.assertEqual({customer.state, agent.state}, {LegState.CONNECTED})
        self.assertEqual(list(self.platform.legs.in_bridge("b1")), [customer, agent])
        self.assertEqual(list(self.platform.legs.of_call(CUSTOMER)), [customer, agent])
        self.assertNotIn(AGENT, [leg.call for leg in self.told.all if isinstance(leg, Leg)])
        self.tell("HangupRequest", CUSTOMER)
        for id in (CUSTOMER, AGENT):
            self.tell("BridgeLeave", id, BridgeUniqueid="b1")
            self.tell("Hangup", id, Cause="16")
        self.assertEqual(self.told.all[-1], LegGone(AGENT, 16, True))
        self.assertIn(LegGone(CUSTOMER, 16, False), self.told.all)
        self.assertEqual(self.platform.kept, 0)

    def test_who_is_dialled_through_a_channel_without_a_device_was_dialled_by_the_caller(self) -> None:
        self.tell("Newchannel", CUSTOMER, ChannelState="4", CallerIDNum="1")
        for half in ("1", "2"):
            self.tell("Newchannel", Uniqueid=f"2.{half}", Channel=f"Local/1001@in-00000000;{half}", ChannelState="0")
        self.tell("DialBegin", CUSTOMER, DestUniqueid="2.1")
        self.tell("Newchannel", AGENT, ChannelState="0")
        self.tell("DialBegin", Uniqueid="2.2", DestUniqueid=AGENT, DestCallerIDNum="1001")
        self.assertEqual((self.leg(AGENT).dialled_by, self.leg(AGENT).call), (CUSTOMER, CUSTOMER))
        self.assertEqual(len(list(self.platform.legs.all())), 2)
        for id in (CUSTOMER, AGENT, "2.1", "2.2"):
            self.tell("Hangup", Uniqueid=id, Cause="16")
        self.assertEqual(self.platform.kept, 0)

    def test_a_caller_waits_in_a_queue(self) -> None:
        self.tell("Newchannel", CUSTOMER, ChannelState="4", CallerIDNum="1")
        self.tell("QueueCallerJoin", CUSTOMER, Queue="support")
        self.assertEqual((self.leg(CUSTOMER).place, self.leg(CUSTOMER).queue), (LegPlace.QUEUE, "support"))
        self.tell("QueueCallerLeave", CUSTOMER, Queue="support")
        self.bridged(CUSTOMER)
        self.assertEqual((self.leg(CUSTOMER).place, self.leg(CUSTOMER).queue), (LegPlace.BRIDGE, "support"))

    def test_a_trunk_that_says_183_only_rings_too(self) -> None:
        self.tell("Newchannel", CUSTOMER, ChannelState="4", CallerIDNum="1")
        self.tell("Newchannel", OTHER, ChannelState="0")
        self.tell("DialBegin", CUSTOMER, DestUniqueid=OTHER)
        self.tell("DialState", CUSTOMER, DestUniqueid=OTHER, DialStatus="PROGRESS")
        self.assertIs(self.leg(OTHER).state, LegState.ALERTING)
        self.tell("Hangup", OTHER, Cause="26")
        self.assertEqual(self.told.all[-1], LegGone(OTHER, 26, True))

    def test_a_hand_off(self) -> None:
        customer, agent = self.call()
        for id in (CUSTOMER, AGENT):
            self.tell("BridgeLeave", id, BridgeUniqueid="b1")
        self.tell("UserEvent", CUSTOMER, UserEvent="ctiex", Phase="out", Serial="7")
        self.bridged(AGENT, "h", BridgeType="base", BridgeName="ctiex-7", BridgeCreator="BridgeWait")
        self.tell("NewCallerid", CUSTOMER, CallerIDNum="13800138000**7")
        self.bridged(CUSTOMER, "s")
        self.assertEqual((customer.place, customer.service, customer.number), (LegPlace.SERVICE, "7", "13800138000"))
        self.assertEqual((agent.place, agent.service), (LegPlace.SERVICE, "7"))
        self.tell("BridgeLeave", CUSTOMER, BridgeUniqueid="s")
        self.tell("UserEvent", CUSTOMER, UserEvent="ctiex", Phase="back", Serial="7")
        self.assertIs(customer.place, LegPlace.SERVICE)
        for id in (AGENT, CUSTOMER):
            self.bridged(id, "b2")
        self.assertEqual([(one.place, one.service) for one in (customer, agent)], [(LegPlace.BRIDGE, "")] * 2)

    def test_a_conference_has_its_name(self) -> None:
        customer, agent = self.call()
        self.at_desk(AGENT)
        self.assertTrue(agent.at_desk)
        for id in (CUSTOMER, AGENT):
            self.bridged(id, "c", BridgeType="base", BridgeName="room", BridgeCreator="ConfBridge")
        self.assertEqual(list(self.platform.legs.in_bridge("room")), [customer, agent])
        self.assertFalse(agent.at_desk)
        self.tell("BridgeLeave", AGENT, BridgeUniqueid="c", BridgeName="room", BridgeCreator="ConfBridge")
        self.assertIs(agent.place, LegPlace.NOWHERE)
        self.assertTrue(agent.at_desk)

    def test_what_telephones_do_by_themselves(self) -> None:
        _, agent = self.call()
        self.tell("Hold", AGENT)
        self.assertTrue(agent.held_at_phone)
        self.assertIn("CTIEX_PHONE_HOLD", str(self.asked()))
        self.tell("Unhold", AGENT)
        self.assertFalse(agent.held_at_phone)
        moved = {"Result": "Success", "TransfereeUniqueid": CUSTOMER}
        self.tell("BlindTransfer", TransfererUniqueid=AGENT, Extension="1002", **moved)
        self.assertEqual(self.told.all[-1], BlindTransferSeen(CUSTOMER, AGENT, "1002"))
        self.tell("AttendedTransfer", OrigTransfererUniqueid=AGENT, TransferTargetUniqueid=OTHER, **moved)
        self.assertEqual(self.told.all[-1], AttendedTransferSeen(CUSTOMER, OTHER, AGENT))
        told = len(self.told.all)
        self.tell("BlindTransfer", TransfererUniqueid=AGENT, Extension="1", Result="Invalid")
        self.tell("AttendedTransfer", OrigTransfererUniqueid=AGENT, Result="Fail")
        self.assertEqual(len(self.told.all), told)

    def test_the_other_end_of_an_attended_transfer_is_found_by_its_bridge_or_by_who_dialled_it(self) -> None:
        self.call()
        self.tell("Newchannel", OTHER, ChannelState="0")
        self.tell("DialBegin", Uniqueid="2.2", DestUniqueid=OTHER)
        self.bridged(OTHER, "b9")
        headers = {"OrigTransfererUniqueid": AGENT, "SecondTransfererUniqueid": "9.9", "Result": "Success"}
        self.tell("AttendedTransfer", OrigBridgeUniqueid="b1", SecondBridgeUniqueid="b9", **headers)
        self.assertEqual(self.told.all[-1], AttendedTransferSeen(CUSTOMER, OTHER, AGENT))
        for half in ("1", "2"):
            name = f"Local/1002@in-00000000;{half}"
            self.tell("Newchannel", Uniqueid=f"2.{half}", Channel=name, ChannelState="0")
        self.tell("AttendedTransfer", TransfereeUniqueid=CUSTOMER, TransferTargetUniqueid="2.1", **headers)
        self.assertEqual(self.told.all[-1], AttendedTransferSeen(CUSTOMER, OTHER, AGENT))


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
        self.assertEqual(told[AGENT, "CTIEX_HOLDS"], CUSTOMER)
        self.assertEqual(told[CUSTOMER, "CTIEX_FALLBACK"], "queues,400,1")
        self.assertEqual(customer.desk, AGENT)
        self.at_desk(AGENT)
        self.platform.connect(customer, agent)
        *_, (_, redirect) = self.asked()
        self.assertEqual((redirect["Channel"], redirect["Context"]), (CUSTOMER, "ctiex-connect"))
        self.assertNotIn("ExtraChannel", redirect)
        self.platform.part(customer, agent)  # from here on one order does it
        *variables, (_, redirect) = self.asked()
        self.assertNotIn("ExtraChannel", redirect)
        self.assertEqual([one["Variable"] for _, one in variables], ["CTIEX_DESK"], "the rest was told before")

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

    def states(self) -> list[str]:
        return [
            headers["Value"] for _, headers in self.asked() if headers.get("Variable", "").startswith("DEVICE_STATE")
        ]


class SnapshotTests(AsteriskCase):
    """Lists."""

    def test_everything_is_found_again(self) -> None:
        self.client.connected = False
        self.client.on_lost()
        called = {"Context": "x", "ChannelState": "6", "CallerIDNum": "4000"}
        waits = {"BridgeType": "base", "BridgeCreator": "BridgeWait"}
        memory = "Variable".join(["CTIEX_LEG=by=1.0&out=1&number=1001"])
        self.log_in(
            BridgeList=[
                {"BridgeUniqueid": "d", "BridgeName": f"ctiex-desk-{AGENT}", **waits},
                {"BridgeUniqueid": "h", "BridgeName": f"ctiex-held-{CUSTOMER}", **waits},
            ],
            Status=[
                {"Uniqueid": CUSTOMER, "Channel": NAMES[CUSTOMER], "BridgeID": "h", "ChannelState": "6",
                 "CallerIDNum": "13800138000", "Application": "BridgeWait",
                 "Variables": f"CTIEX_DESK={AGENT}|CTIEX_CALL=call-1|CTIEX_RECORDING=paused"},
                {"Uniqueid": AGENT, "Channel": NAMES[AGENT], "BridgeID": "d", **called,
                 "Variables": f"CTIEX_AT_DESK=yes|{memory}|CTIEX_CALL=call-1|CTIEX_PHONE_HOLD=yes"},
                {"Uniqueid": "7.1", "Channel": "PJSIP/trunk-00000007", "Linkedid": "7.1", "BridgeID": "",
                 "ChannelState": "6", "CallerIDNum": "5", "Application": "Dial"},
                {"Uniqueid": "7.2", "Channel": "PJSIP/1003-00000008", "Linkedid": "7.1", "BridgeID": "",
                 "ChannelState": "5", "Application": "AppDial"},
                {"Uniqueid": "7.3", "Channel": "PJSIP/trunk-00000009", "Linkedid": "7.3", "BridgeID": "",
                 "ChannelState": "6", "CallerIDNum": "6", "Application": "Queue", "Data": "support,c"},
            ],
            QueueStatus=[
                {"Event": "QueueEntry", "Uniqueid": "7.3", "Queue": "support"},
                {"Event": "QueueMember", "Queue": "support", "Name": "1001", "Location": "PJSIP/1001", "Paused": "0"},
            ],
        )  # fmt: skip
        customer, agent = self.leg(CUSTOMER), self.leg(AGENT)
        self.assertEqual((customer.place, customer.desk, customer.call), (LegPlace.HOLD, AGENT, "call-1"))
        self.assertIs(customer.recording, RecordingState.PAUSED)
        self.assertEqual((agent.place, agent.at_desk, agent.dialled_by), (LegPlace.DESK, True, CUSTOMER))
        self.assertEqual((agent.outbound, agent.held_at_phone, agent.number), (True, True, "1001"))
        self.assertEqual((self.leg("7.2").dialled_by, self.leg("7.2").call), ("7.1", "7.1"))
        self.assertIs(self.leg("7.2").state, LegState.ALERTING)
        self.assertEqual((self.leg("7.3").place, self.leg("7.3").queue), (LegPlace.QUEUE, "support"))
        self.assertEqual(self.platform.membership("1001"), QueueMembership("1001", "1001", ("support",), False))
        self.assertEqual(self.told.all[-1], "taken up")

    def test_a_channel_that_begins_while_the_lists_are_read_is_known_once(self) -> None:
        self.client.connected = False
        self.client.on_lost()
        self.client.log_in()
        self.tell("Newchannel", CUSTOMER, ChannelState="4", CallerIDNum="1")
        row = {"Uniqueid": CUSTOMER, "Channel": NAMES[CUSTOMER], "ChannelState": "6", "CallerIDNum": "2"}
        for rows in ([], [self.message("Status", **row)], []):
            _, _, answer = self.client.asked.popleft()
            self.client.answered(answer, success(), rows)
        self.clock.pump([0.0] * 20)
        self.assertEqual([leg.number for leg in self.platform.legs.all()], ["2"])
        self.assertEqual(self.told.all, ["taken up", "away", "taken up"])


class UnwatchedTests(SynchronousTestCase):
    """Where nobody controls calls."""

    def test_nothing_more_is_asked_and_nothing_is_kept(self) -> None:
        clock = Clock()
        platform = AsteriskPlatform(clock, structure(TABLE, AsteriskSettings), {}, WaitingClient)
        platform.start(RecordingListener() and Silent())  # type: ignore[arg-type]
        platform._client.log_in()
        for expected in ("BridgeList", "Status"):
            name, headers, answer = platform._client.asked.popleft()
            self.assertEqual(name, expected)
            self.assertNotIn("CTIEX_LEG", headers.get("Variables", ""))
            platform._client.answered(answer, success(), [])
        clock.pump([0.0] * 20)
        self.assertTrue(platform.connected)
        event = (("Event", "Newchannel"), ("Uniqueid", "1"), ("Channel", "PJSIP/1001-00000001"), ("ChannelState", "4"))
        platform.take(AmiMessage(event))
        self.assertEqual(platform.kept, 0)


class LegModelTests(SynchronousTestCase):
    """The legs of any platform."""

    def test_a_leg_is_found_by_what_it_is_now(self) -> None:
        legs = LegModel()
        leg = Leg("1", call="a", agent="1001", bridge="x", desk="9")
        legs.put(leg)
        self.assertFalse(legs.change(leg, call="a"))
        self.assertTrue(legs.change(leg, call="b", bridge="", desk="8"))
        found = [legs.of_call("b"), legs.of_agent("1001"), legs.for_desk("8"), legs.all()]
        self.assertEqual([list(one) for one in found], [[leg]] * 4)
        lost = [legs.of_call("a"), legs.in_bridge("x"), legs.in_bridge(""), legs.for_desk("9")]
        self.assertEqual([list(one) for one in lost], [[]] * 4)
        self.assertIs(legs.remove("1"), leg)
        self.assertIsNone(legs.remove("1"))
        self.assertEqual((len(legs), list(legs.of_call("b"))), (0, []))
