"""What the events and lists of an Asterisk say of its legs."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ctiex.interfaces.call_platform import (
    AttendedTransferSeen,
    BlindTransferSeen,
    Function,
    ICallPlatform,
    ILegs,
    Leg,
    LegGone,
    LegPlace,
    LegState,
    QueueMembership,
    RecordingState,
)
from ctiex.settings import structure
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.platform import AsteriskPlatform
from ctiex.telephony.asterisk.settings import AsteriskSettings
from ctiex.telephony.leg_model import LegModel
from ctiex.testing.signalling_contract import RecordingListener

from .asterisk_legs_case import AGENT, CUSTOMER, NAMES, OTHER, TABLE, AsteriskCase, Silent, success
from .asterisk_world import WaitingClient


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
