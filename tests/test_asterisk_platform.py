"""Asterisk as a telephone platform: what it reports, in no words of its own."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ctiex.errors import Status
from ctiex.interfaces import Offer
from ctiex.interfaces.telephony import (
    Conversation,
    Established,
    ISnapshot,
    ITelephonyListener,
    ITelephonyPlatform,
    OrderRefused,
    PartyDropped,
    PartyHeld,
    TelephonyEvent,
    TransferEvent,
    TransferProgress,
    TransferState,
)
from ctiex.messages import Connection
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.events import update_bridge
from ctiex.telephony.asterisk.platform import AsteriskPlatform
from ctiex.telephony.asterisk.service_calls import ServiceCalls

from .asterisk_world import World
from .fake_platform import Leg


@implementer(ITelephonyListener)
class Recorder:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.told: list[TelephonyEvent] = []
        self.states: list[TransferState] = []
        self.associated: list[tuple[str, str]] = []

    def take_up(self, snapshot: ISnapshot) -> Iterator[None]:
        """Read all of it."""
        for state in snapshot.transfers():
            if state is not None:
                self.states.append(state)
                self.associated.append(snapshot.associated(state.conversation.customer))
            yield

    def caught_up(self) -> Iterator[None]:
        """Nothing waits."""
        yield

    def happened(self, event: TelephonyEvent) -> None:
        """Keep it."""
        self.told.append(event)


class Seen(World):
    """The same Asterisk, with a recorder in the place of the driver."""

    def start(self) -> None:
        """Connect to it."""
        super().start()
        asterisk: Any = self.driver._platform
        self.asterisk: AsteriskPlatform = asterisk
        self.recorder = Recorder()
        self.asterisk.start(self.recorder)


class Reports(SynchronousTestCase):
    """What a listener hears of a call and of a transfer."""

    def setUp(self) -> None:
        self.world = Seen()
        self.world.connect()
        self.world.settle()
        self.customer = self.world.platform.call("1001")
        self.world.settle()

    def conversation(self) -> Conversation:
        """Of the customer."""
        found = self.told(Established)[-1].conversation
        self.assertEqual((found.customer.id, found.agent), (self.customer.uniqueid, "1001"))
        return found

    def told(self, kind: type[Any]) -> list[Any]:
        """What was told of a kind."""
        return [event for event in self.world.recorder.told if isinstance(event, kind)]

    def refused(self) -> None:
        """Nobody was moved."""
        self.world.recorder.told.append(TransferProgress(self.customer.uniqueid, TransferEvent.REFUSED))

    def send(self, access_code: str = "7000") -> Leg:
        """Have the customer sent to the service."""
        offer = Offer("7", "bill", "138", Connection(access_code, "138**7", "exchange:7301"), inf, agent="1001")
        self.world.asterisk.prepare_transfer(self.conversation(), offer, self.refused)()
        self.world.settle()
        return self.customer

    def progress(self) -> list[TransferEvent]:
        """What was told of the transfer."""
        told = self.told(TransferProgress)
        self.assertEqual({event.customer for event in told} - {self.customer.uniqueid}, set())
        return [event.event for event in told]

    def test_it_provides_the_interface(self) -> None:
        self.assertTrue(verifyObject(ITelephonyPlatform, self.world.asterisk))

    def test_who_is_together_and_who_is_gone(self) -> None:
        found = self.conversation()
        self.assertTrue(found.together)
        self.world.platform.hang_up(self.customer)
        self.world.settle()
        customer, agent = self.told(PartyDropped)
        self.assertEqual((customer.party, agent.party), (self.customer.uniqueid, found.agent_party.id))
        self.assertFalse(self.conversation().together)

    def test_the_whole_way(self) -> None:
        customer = self.send()
        self.world.platform.answer(customer)
        self.world.platform.finish(customer)
        self.world.settle()
        self.assertEqual(
            self.progress(), [TransferEvent.LEFT_AGENT, TransferEvent.ANSWERED, TransferEvent.SERVICE_OVER]
        )
        self.assertEqual([(event.serial, event.freed) for event in self.told(PartyHeld)], [("7", False)])
        self.assertEqual(len(self.told(Established)), 2)

    def test_a_failure_has_the_cause_of_the_services_own_channel(self) -> None:
        customer = self.send()
        self.world.platform.refuse(customer, "CHANUNAVAIL", "21")
        self.world.settle()
        told = self.told(TransferProgress)[-1]
        self.assertEqual((told.event, told.status), (TransferEvent.NOT_ANSWERED, Status.SERVICE_REFUSED))

    def test_so_it_has_when_the_connection_was_lost_while_the_service_was_called(self) -> None:
        customer = self.send()
        self.world.cut()
        self.world.connect()
        self.world.settle()
        self.world.platform.refuse(customer, "CHANUNAVAIL", "21")
        self.world.settle()
        self.assertEqual(self.told(TransferProgress)[-1].status, Status.SERVICE_REFUSED)

    def test_what_is_recalled_and_whose_agent_is_gone(self) -> None:
        customer = self.send()
        self.world.platform.hang_up(self.world.platform.legs["PJSIP/1001-00000002"])
        self.world.asterisk.recall(self.conversation().customer)
        self.world.settle()
        self.assertEqual(customer.place, "fallback")
        self.assertEqual(self.progress()[1:], [TransferEvent.RECALLED, TransferEvent.AGENT_LOST])

    def test_a_move_that_is_refused_is_said_to_who_has_asked(self) -> None:
        self.conversation()
        del self.world.platform.legs["PJSIP/1001-00000002"]
        self.send()
        self.assertEqual(self.progress(), [TransferEvent.REFUSED])

    def test_what_no_dialplan_takes_is_refused_at_once(self) -> None:
        self.assertRaises(OrderRefused, self.send, "7000,1")
        self.assertEqual((list(self.world.client.asked), self.progress()), ([], []))

    def test_whoever_is_held_where_nobody_comes_back_to_is_told_as_freed(self) -> None:
        self.send()
        held = self.world.platform.legs["PJSIP/1001-00000002"]
        self.world.asterisk.release_held("7")
        self.world.platform.pass_on_hold(held, "1005")
        self.world.settle()
        self.assertEqual([event.freed for event in self.told(PartyHeld)], [False, True])

    def test_a_hold_of_call_control_is_no_hold_of_a_hand_off(self) -> None:
        """Else the exchange that is started next would end both calls as left over."""
        for name, serial in (("ctiex-7", "7"), ("ctiex-held-17.1", ""), ("ctiex-desk-17.2", ""), ("ctiex-", "")):
            headers = {"BridgeUniqueid": name, "BridgeType": "holding", "BridgeName": name}
            update_bridge(self.world.asterisk.calls, AmiMessage(tuple(headers.items())))
            self.assertEqual(self.world.asterisk.calls.serial_of_hold(name), serial)

    def meanwhile(self, what: str, customer: Leg) -> None:
        """Something happens that isn't heard."""
        platform = self.world.platform
        match what:
            case "answered":
                platform.answer(customer)
            case "agent lost":
                platform.hang_up(platform.legs["PJSIP/1001-00000002"])
                platform.refuse(customer, "BUSY")
            case "failed":
                platform.refuse(customer, "BUSY")

    def test_a_snapshot_has_what_happened_so_far(self) -> None:
        for what, *progress in (
            ("out", TransferEvent.LEFT_AGENT),
            ("answered", TransferEvent.ANSWERED),
            ("failed", TransferEvent.NOT_ANSWERED),
            ("agent lost", TransferEvent.NOT_ANSWERED, TransferEvent.AGENT_LOST),
        ):
            self.setUp()
            self.world.asterisk.associate(self.conversation().customer, "42", "1001")
            customer = self.send()
            self.world.cut()
            self.meanwhile(what, customer)
            self.world.connect()
            self.world.settle()
            [state] = self.world.recorder.states
            self.assertEqual((state.serial, list(state.progress)), ("7", progress))
            self.assertEqual(state.is_out, what in ("out", "answered"))
            self.assertEqual(state.status, Status.SERVICE_REFUSED if "failed" in what else state.status)
            self.assertEqual(self.world.recorder.associated, [("42", "1001")])
            self.assertEqual(state.conversation.agent, "1001")

    def test_nothing_is_kept_of_what_is_over(self) -> None:
        customer = self.send()
        self.assertGreater(self.world.asterisk.kept, 0)
        self.world.platform.hang_up(customer)
        self.world.settle()
        self.assertEqual(self.world.asterisk.kept, 0)


_CHANNELS = st.sampled_from(["1", "2", "3", "4"])
_DONE = st.one_of(
    st.tuples(st.just("began"), _CHANNELS),
    st.tuples(st.just("dialled"), _CHANNELS, st.sampled_from(["5", "6", "7", "8"])),
    st.tuples(st.just("gone"), st.sampled_from(["1", "2", "5", "6", "7", "8"]), st.sampled_from(["16", "17"])),
    st.tuples(st.just("ended"), _CHANNELS),
)


class Causes(SynchronousTestCase):
    """The calls to services of several customers."""

    @settings(deadline=None)
    @given(st.lists(_DONE, max_size=30))
    def test_nothing_is_left_once_all_customers_are_back(self, done: list[tuple[str, ...]]) -> None:
        calls = ServiceCalls()
        for what, *arguments in done:
            getattr(calls, what)(*arguments)
        for customer in ("1", "2", "3", "4"):
            calls.ended(customer)
        self.assertEqual(len(calls), 0)

    def test_the_last_service_that_was_dialled_tells_the_cause(self) -> None:
        calls = ServiceCalls()
        calls.began("1")
        calls.dialled("1", "5")
        calls.dialled("1", "6")
        calls.gone("6", "17")
        calls.gone("5", "16")
        self.assertEqual(calls.ended("1"), "17")

    def test_after_a_snapshot_exactly_those_are_out_that_it_shows(self) -> None:
        calls = ServiceCalls()
        for customer in ("1", "2"):
            calls.began(customer)
            calls.dialled(customer, f"5{customer}")
        list(calls.go_on(["2", "3"]))
        calls.gone("52", "17")
        self.assertEqual([customer in calls for customer in ("1", "2", "3")], [False, True, True])
        self.assertEqual([calls.ended(customer) for customer in ("1", "2", "3")], ["", "17", ""])
        self.assertEqual(len(calls), 0)
