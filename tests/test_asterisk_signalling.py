"""Signalling by Asterisk: calls are seen, customers forwarded and brought back, and nobody is left hanging."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import ConfigurationError, RequestTimedOut, Status
from ctiex.interfaces import ISignalling, ISignallingPlugin, Signalled, SignallingContext
from ctiex.interfaces.telephony import Conversation, Party, TransferEvent
from ctiex.messages import Connection
from ctiex.plugins import find_plugin
from ctiex.processing.service_sessions import ServiceSessions
from ctiex.serials import names_a_told_call
from ctiex.settings import structure
from ctiex.signalling.asterisk import AsteriskSignallingPlugin
from ctiex.signalling.transfer import TABLE as STAGES
from ctiex.signalling.transfer import Notification, Stage, Transfer
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.events import update
from ctiex.telephony.asterisk.service_calls import status_of
from ctiex.telephony.asterisk.settings import AsteriskServiceSettings, AsteriskSettings
from ctiex.telephony.call_model import CallModel
from ctiex.testing.signalling_contract import SignallingContract, agent_of
from tests.asterisk_world import ENDS, TABLE, World
from tests.fake_platform import Leg, PlatformAsterisk

from .effort import examples

_ENDING = {Notification.UNREACHABLE, Notification.RETURNED, Notification.AGENT_LOST, Notification.HUNG_UP}


def conversation() -> Conversation:
    return Conversation(Party("1.1", "PJSIP/trunk-00000001"), Party("1.2", "PJSIP/1001-00000002"), "1001")


class Stages(SynchronousTestCase):
    """The table of ctiex.signalling.transfer."""

    @settings(deadline=None)
    @given(st.lists(st.sampled_from(TransferEvent)))
    def test_whatever_happens_one_end_is_told_at_most_and_nothing_behind_it(
        self, happenings: list[TransferEvent]
    ) -> None:
        transfer = Transfer("7", conversation())
        told = [telling for telling in map(transfer.happen, happenings) if telling is not None]
        ends = [telling for telling in told if telling in _ENDING]
        self.assertLessEqual(len(ends), 1)
        self.assertEqual(told[-1:] if ends else [], ends)
        self.assertLessEqual(told.count(Notification.ACCEPTED), 1)
        if transfer.stage is Stage.OVER:
            self.assertEqual(len(ends), 1)

    def test_a_customer_who_hangs_up_ends_it_in_every_stage(self) -> None:
        for stage in set(Stage) - {Stage.OVER}:
            self.assertEqual(STAGES[stage, TransferEvent.CUSTOMER_GONE], (Stage.OVER, Notification.HUNG_UP))

    def test_nothing_happens_when_it_is_over(self) -> None:
        self.assertEqual([stage for stage, _ in STAGES if stage is Stage.OVER], [])

    def test_only_a_customer_who_was_served_is_told_to_have_returned(self) -> None:
        for (stage, _), (_, told) in STAGES.items():
            if told is Notification.RETURNED:
                self.assertIn(stage, (Stage.SERVED, Stage.RETURNING))

    def test_the_failures_of_a_call_have_their_statuses(self) -> None:
        for result, cause, status in (
            ("BUSY", "17", Status.SERVICE_REFUSED),
            ("CHANUNAVAIL", "21", Status.SERVICE_REFUSED),
            ("NOANSWER", "16", Status.TIMED_OUT),
            ("NOANSWER", "21", Status.TIMED_OUT),
            ("BUSY", "19", Status.SERVICE_REFUSED),
            ("CHANUNAVAIL", "18", Status.TIMED_OUT),
            ("CHANUNAVAIL", "20", Status.SERVICE_UNREACHABLE),
            ("CONGESTION", "34", Status.SERVICE_UNREACHABLE),
        ):
            self.assertEqual(status_of(result, cause), status, result)


class Settings(SynchronousTestCase):
    """``[signalling.asterisk]``."""

    def test_the_agent_number_is_read_off_the_name_of_the_channel(self) -> None:
        table = {**TABLE, "agents": ["PJSIP/{agent}", "Local/{agent}@agents"], "devices": {"PJSIP/front-desk": "2000"}}
        known = structure({**table, "customers": ["PJSIP/trunk-", "PJSIP/900"]}, AsteriskSettings)
        for name, agent in {
            "PJSIP/1001-0000002a": "1001",
            "Local/1001@agents-0000002a;1": "1001",
            "PJSIP/front-desk-0000002a": "2000",
            "PJSIP/trunk-0000002a": "",
            "PJSIP/9001-0000002a": "",
            "SIP/1001-0000002a": "",
            "PJSIP/1001": "1001",
        }.items():
            self.assertEqual(known.agent_of(name), agent, name)

    def test_a_customer_is_whoever_is_no_agent(self) -> None:
        known = structure({key: value for key, value in TABLE.items() if key != "customers"}, AsteriskSettings)
        self.assertTrue(known.is_customer("PJSIP/trunk-0000002a"))
        self.assertFalse(known.is_customer("PJSIP/1001-0000002a"))
        self.assertFalse(known.is_customer("Local/800@queue-0000002a;1"))

    def test_what_is_wrong_is_told_in_words_and_all_at_once(self) -> None:
        wrong: Mapping[str, Any] = {
            "username": "two\nlines",
            "dial": "PJSIP/{code}@core",
            "agents": ["PJSIP/1001"],
            "fallback": "queues",
            "ring": 0,
            "hold_context": "a b",
            "colour": "red",
        }
        with self.assertRaises(ConfigurationError) as caught:
            structure(wrong, AsteriskSettings)
        lines = str(caught.exception).splitlines()
        self.assertEqual([line.split(":")[0] for line in lines], sorted([*wrong, "secret"]))
        self.assertTrue(all("expected" in line for line in lines))

    def test_a_secret_that_is_no_good_is_not_shown(self) -> None:
        with self.assertRaises(ConfigurationError) as caught:
            structure({**TABLE, "secret": "mine\nand more"}, AsteriskSettings)
        self.assertNotIn("mine", str(caught.exception))
        self.assertNotIn(TABLE["secret"], repr(structure(TABLE, AsteriskSettings)))

    def test_a_secret_may_stand_in_a_file(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "secret")
            table = {key: value for key, value in TABLE.items() if key != "secret"} | {"secret_file": str(file)}
            for content in (None, b"", b"\xff", b"two\nlines"):
                if content is not None:
                    file.write_bytes(content)
                with self.assertRaisesRegex(ConfigurationError, "secret_file"):
                    structure(table, AsteriskSettings)
            file.write_text("from the file\n")
            self.assertEqual(structure(table, AsteriskSettings).shared_secret(), "from the file")

    def test_a_service_may_have_some_of_its_own(self) -> None:
        plugin = find_plugin(ISignallingPlugin, "asterisk")
        self.assertTrue(verifyObject(ISignallingPlugin, plugin))
        structure(TABLE, plugin.settings)
        structure({"dial": "SIP/trunk/{access_code}", "ring": 10, "longest": 60}, plugin.service_settings)
        for table in ({"address": "tcp:1"}, {"ring": "10"}, {"dial": "PJSIP/a,b"}):
            with self.assertRaises(ConfigurationError):
                structure(table, plugin.service_settings)

    def test_an_endpoint_that_is_none_is_told(self) -> None:
        with self.assertRaisesRegex(ConfigurationError, 'endpoint: found "nowhere"'):
            structure({**TABLE, "endpoint": "nowhere"}, AsteriskSettings)


class Seeing(SynchronousTestCase):
    """Calls between customers and agents."""

    def test_a_call_is_told_once_with_the_customers_number(self) -> None:
        world = World()
        world.connect()
        world.settle()
        customer = world.platform.call("1001", "13800138000**123")
        world.settle()
        self.assertEqual(world.listener.arrivals, [("1001", "13800138000**123")])
        self.assertTrue(names_a_told_call(customer.variables["CTIEX_TALK"]))
        self.assertEqual(customer.variables["CTIEX_TALK_AGENT"], "1001")

    def test_a_call_that_was_there_before_is_told_and_not_again_after_a_gap(self) -> None:
        world = World()
        world.platform.call("1001")
        for _ in range(3):
            world.connect()
            world.settle()
            world.cut()
        world.start()  # and a new exchange has it from the channel itself
        world.connect()
        world.settle()
        self.assertEqual(len(world.listener.arrivals), 1)

    def test_an_application_that_comes_later_is_told_then_and_once(self) -> None:
        world = World()
        world.listener.agents_are_here = False
        world.connect()
        world.platform.call("1001")
        world.platform.call("1002")
        world.settle()
        world.listener.agents_are_here = True
        world.listener.arrivals.clear()
        for _ in range(2):
            world.driver.agent_logged_in("1001")
        self.assertEqual(world.listener.arrivals, [("1001", "13800138000")])

    def test_agents_among_themselves_and_strangers_are_no_call(self) -> None:
        world = World()
        world.connect()
        world.settle()
        one, other = world.platform._leg("PJSIP/1001", "1001"), world.platform._leg("PJSIP/1002", "1002")
        world.platform._join(one, other, "talk")
        world.platform._join(world.platform._leg("PJSIP/trunk", "1"), world.platform._leg("PJSIP/trunk", "2"), "talk")
        world.settle()
        self.assertEqual(world.listener.arrivals, [])

    def test_a_withheld_number_isnt_told_as_the_one_that_carried_the_serial(self) -> None:
        call_model = CallModel(structure(TABLE, AsteriskSettings))
        for number, known in (("13800138000**7", "13800138000**7"), ("", "13800138000**7"), ("<unknown>", "")):
            event = (("Event", "BridgeEnter"), ("Uniqueid", "1.1"), ("Channel", "PJSIP/trunk-00000001"))
            update(call_model, AmiMessage((*event, ("CallerIDNum", number), ("BridgeUniqueid", "bridge"))))
            customer = call_model.party("1.1")
            assert customer is not None
            self.assertEqual(customer.number, known)

    def test_what_has_ended_leaves_nothing(self) -> None:
        world = World()
        world.connect()
        world.settle()
        world.platform.hang_up(world.platform.call("1001"))
        world.settle()
        self.assertEqual(len(world.driver), 0)


class Forwarding_(SynchronousTestCase):  # noqa: N801
    """One customer, there and back."""

    def test_the_whole_way(self) -> None:
        world = World()
        customer = world.forwarded()
        self.assertEqual(world.platform.dialled, [("PJSIP/7000@core", "13800138000**7")])
        self.assertEqual(world.listener.of("7"), ["offered"])
        world.platform.answer(customer)
        world.settle()
        self.assertEqual(world.listener.of("7"), ["offered", "accepted"])
        world.platform.finish(customer)
        world.settle()
        self.assertEqual(world.listener.of("7"), ["offered", "accepted", "returned"])
        self.assertEqual(world.platform.lost(), [])
        self.assertEqual(customer.variables["CTIEX_FALLBACK"], "queues,800,1")

    def test_the_same_customer_may_be_forwarded_again(self) -> None:
        world = World()
        customer = world.forwarded()
        for serial in ("8", "9"):
            world.platform.answer(customer)
            world.platform.finish(customer)
            world.settle()
            world.offer(serial)
            world.settle()
        self.assertEqual([number for _, number in world.platform.dialled],
                         ["13800138000**7", "13800138000**8", "13800138000**9"])  # fmt: skip
        self.assertEqual(len(world.listener.arrivals), 1)

    def test_a_service_that_isnt_reached_is_told_and_the_customer_is_back(self) -> None:
        for result, cause, status in (("BUSY", "17", 32), ("NOANSWER", "", 33), ("CHANUNAVAIL", "20", 31)):
            world = World()
            customer = world.forwarded()
            world.platform.refuse(customer, result, cause)
            world.settle()
            self.assertEqual(world.listener.of("7"), ["offered", "unreachable"])
            self.assertEqual(world.listener.statuses, [status])
            self.assertEqual([leg.name for leg in world.platform.others_in(customer)], ["PJSIP/1001-00000002"])

    def test_a_customer_who_hangs_up_is_told_and_the_agent_is_free(self) -> None:
        for answered in (False, True):
            world = World()
            customer = world.forwarded()
            if answered:
                world.platform.answer(customer)
            world.platform.hang_up(customer)
            world.settle()
            self.assertEqual(world.ends("7"), ["hung_up"])
            self.assertEqual(world.platform.legs, {})

    def test_an_agent_who_hangs_up_meanwhile_costs_the_customer_neither_service_nor_call(self) -> None:
        world = World()
        customer = world.forwarded()
        world.platform.answer(customer)
        world.platform.hang_up(world.platform.legs["PJSIP/1001-00000002"])
        world.settle()
        self.assertEqual(world.listener.of("7"), ["offered", "accepted"])
        world.platform.finish(customer)
        world.settle()
        self.assertEqual(world.listener.of("7"), ["offered", "accepted", "agent_lost"])
        self.assertEqual(customer.place, "fallback")

    def test_a_withdrawal_brings_the_customer_back_once(self) -> None:
        world = World()
        customer = world.forwarded()
        self.assertEqual(world.driver.withdraw("7"), Status.TIMED_OUT)
        world.driver.withdraw("7")
        world.platform.answer(customer)
        world.settle()
        self.assertEqual(world.listener.of("7"), ["offered"])
        self.assertEqual(customer.place, "talk")
        self.assertEqual(world.platform.lost(), [])
        self.assertEqual(len(world.platform.legs), 2)

    def test_nothing_is_told_of_a_call_that_was_ended_whatever_comes_late(self) -> None:
        happenings = ("withdraw", "answer", "refuse", "finish", "hang_up")
        for *first, last in (("withdraw", one) for one in happenings):
            for served in (False, True):
                world = World()
                customer = world.forwarded()
                if served:
                    world.platform.answer(customer)
                    world.settle()
                told = list(world.listener.of("7"))
                for what in (*first, last):  # all of it before the exchange hears any of it
                    if what == "withdraw":
                        world.driver.withdraw("7")
                    else:
                        more = ("BUSY",) if what == "refuse" else ()
                        getattr(world.platform, what)(customer, *more)
                world.settle()
                self.assertEqual(world.listener.of("7"), told, last)
                world.platform.hang_up(customer)
                world.settle()
                self.assertEqual((len(world.driver), world.platform.legs), (0, {}), last)

    def test_events_of_channels_that_nobody_knows_leave_nothing(self) -> None:
        world = World()
        world.connect()
        world.settle()
        gone = world.platform.call("1001")
        world.platform.hang_up(gone)
        world.settle()
        late = ("DialBegin", "DialEnd", "BridgeLeave", "Rename", "Hangup", "UserEvent", "BridgeDestroy", "Newchannel")
        for event in late:
            more = (("UserEvent", "ctiex"), ("Phase", "back"), ("Serial", "7"), ("DialStatus", "ANSWER"))
            own = (("Event", event), ("Uniqueid", gone.uniqueid), ("Channel", gone.name), ("BridgeUniqueid", "b"))
            world.client.on_event(AmiMessage((*own, ("DestUniqueid", "9.9"), *more)))
        self.assertEqual((len(world.driver), world.listener.told), (0, []))

    def test_a_withdrawal_while_they_are_being_moved_brings_the_customer_back_too(self) -> None:
        world = World()
        customer = world.platform.call("1001")
        world.connect()
        world.settle()
        world.offer("7")
        world.driver.withdraw("7")
        world.settle()
        self.assertEqual((customer.place, len(world.platform.legs)), ("talk", 2))
        self.assertEqual(world.listener.of("7"), ["offered"])

    def test_an_agent_without_a_customer_is_told_at_once(self) -> None:
        world = World()
        world.connect()
        world.settle()
        world.offer("7")
        self.assertEqual((world.listener.of("7"), world.listener.statuses), (["unreachable"], [31]))

    def test_a_move_that_asterisk_refuses_is_told(self) -> None:
        world = World()
        customer = world.platform.call("1001")
        world.connect()
        world.settle()
        world.offer("7")
        del world.platform.legs["PJSIP/1001-00000002"]
        world.settle()
        self.assertEqual((world.ends("7"), customer.place), (["unreachable"], "talk"))

    def test_the_serial_that_was_told_names_the_customer(self) -> None:
        world = World()
        world.connect()
        world.platform.call("1001", "1")
        other = world.platform.call("1001", "2")
        world.settle()
        world.offer(other.variables["CTIEX_TALK"], number="2")
        world.settle()
        self.assertEqual([leg.number for leg in world.platform.legs.values() if leg.place == "dialling"], ["2"])

    def test_among_several_the_calling_number_decides_and_else_nobody_is_forwarded(self) -> None:
        world = World()
        world.connect()
        for number in ("1", "2"):
            world.platform.call("1001", number)
        world.settle()
        world.offer("7", number="2")
        world.offer("8", number="3")
        world.settle()
        self.assertEqual(world.platform.dialled, [("PJSIP/7000@core", "2**7")])
        self.assertEqual(world.ends("8"), ["unreachable"])

    def test_a_serial_of_a_call_that_is_over_forwards_nobody_else(self) -> None:
        world = World()
        world.connect()
        first = world.platform.call("1001")
        world.settle()
        serial = first.variables["CTIEX_TALK"]
        world.platform.hang_up(first)
        world.platform.call("1001")
        world.settle()
        world.offer(serial)
        world.settle()
        self.assertEqual((world.ends(serial), world.platform.dialled), (["unreachable"], []))

    def test_a_serial_of_another_agents_call_forwards_nobody(self) -> None:
        world = World()
        world.connect()
        others = world.platform.call("1002")
        world.platform.call("1001")
        world.settle()
        world.offer(others.variables["CTIEX_TALK"], agent="1001")
        world.settle()
        self.assertEqual(world.platform.dialled, [])

    @settings(deadline=None)
    @given(st.text(max_size=12), st.text(max_size=8))
    def test_nothing_that_an_agent_says_gets_into_the_dialplan(self, number: str, access_code: str) -> None:
        world = World()
        customer = world.platform.call("1001")
        world.connect()
        world.settle()
        world.offer("7", number=number, access_code=access_code)
        world.settle()
        for dialled in world.platform.dialled:
            self.assertRegex(dialled[0], r"\APJSIP/[A-Za-z0-9_.+*#@/:-]+@core\Z")
            self.assertRegex(dialled[1], r"\A[A-Za-z0-9+*#]+\Z")
        self.assertEqual(customer.place, "dialling" if world.platform.dialled else "talk")
        self.assertEqual(world.ends("7"), [] if world.platform.dialled else ["unreachable"])

    def test_header_fields_go_with_the_call_and_none_of_an_earlier_one(self) -> None:
        world = World()
        customer = world.platform.call("1001")
        world.connect()
        world.settle()
        world.offer("7", signalled=Signalled("13800138000", {"User-to-User": "37;encoding=hex", "X-A": "7"}))
        world.settle()
        self.assertEqual(world.platform.dialled, [("PJSIP/7000@core", "13800138000")])
        self.assertEqual(customer.variables["_CTIEX_HEADER_1_NAME"], "User-to-User")
        self.assertEqual(customer.variables["_CTIEX_HEADER_1"], "37;encoding=hex")
        world.platform.refuse(customer, "BUSY")
        world.settle()
        world.offer("8")
        world.settle()
        self.assertEqual([customer.variables[f"_CTIEX_HEADER_{n}_NAME"] for n in (1, 2)], ["", ""])

    def test_a_service_may_be_dialled_in_its_own_way(self) -> None:
        own = {"bill": AsteriskServiceSettings(dial="PJSIP/other/{access_code}", ring=7, longest=60)}
        world = World(services=own)
        customer = world.forwarded()
        self.assertEqual(world.platform.dialled[0][0], "PJSIP/other/7000")
        self.assertEqual((customer.variables["CTIEX_RING"], customer.variables["CTIEX_LONGEST"]), ("7", "60"))
        self.assertEqual(world.platform.legs["PJSIP/1001-00000002"].variables["CTIEX_HOLD"], "127")


class Gaps(SynchronousTestCase):
    """The manager interface goes away and comes back; the exchange stops and starts."""

    def test_offers_wait_for_asterisk(self) -> None:
        world = World()
        world.platform.call("1001")
        world.offer("7", resumed=True)
        self.assertEqual(world.listener.told, [])
        world.connect()
        world.settle()
        self.assertEqual(world.listener.of("7"), ["offered"])

    def test_what_happened_meanwhile_is_told_afterwards(self) -> None:
        def ends(world: World, customer: Leg, do: str) -> Sequence[str]:
            world.cut()
            agent = world.platform.legs["PJSIP/1001-00000002"]
            match do:
                case "answer":
                    world.platform.answer(customer)
                case "refuse":
                    world.platform.refuse(customer, "BUSY")
                case "finish":
                    world.platform.answer(customer)
                    world.platform.finish(customer)
                case "customer":
                    world.platform.answer(customer)
                    world.platform.hang_up(customer)
                case "agent":
                    world.platform.answer(customer)
                    world.platform.hang_up(agent)
                    world.platform.finish(customer)
            world.connect()
            world.settle()
            return world.listener.of("7")

        for do, told in {
            "nothing": ["offered"],
            "answer": ["offered", "accepted"],
            "refuse": ["offered", "unreachable"],
            "finish": ["offered", "accepted", "returned"],
            "customer": ["offered", "unreachable"],  # nobody knows any more whether they were served
            "agent": ["offered", "accepted", "agent_lost"],
        }.items():
            world = World()
            self.assertEqual(ends(world, world.forwarded(), do), told, do)
            self.assertEqual(world.platform.lost(), [])

    def test_a_move_that_was_lost_with_the_connection_is_made_afterwards(self) -> None:
        for done in (False, True):
            world = World()
            world.platform.call("1001")
            world.connect()
            world.settle()
            world.offer("7")
            world.cut(done)
            world.connect()
            world.settle()
            self.assertEqual(len(world.platform.dialled), 1)
            self.assertEqual(world.listener.of("7"), ["offered"])

    def test_a_move_that_asterisk_doesnt_answer_is_looked_at_anew(self) -> None:
        for done in (False, True):
            world = World()
            world.platform.call("1001")
            world.connect()
            world.settle()
            cut = partial(world.cut, done)
            world.client.reconnect = lambda reason, cut=cut: cut()  # type: ignore[method-assign,misc]
            world.offer("7")
            for name, _, answer in list(world.client.asked):
                if name == "Redirect":
                    answer.errback(RequestTimedOut("Asterisk didn't answer Redirect in time"))
            self.assertFalse(world.client.connected)
            world.connect()
            world.settle()
            self.assertEqual(len(world.platform.dialled), 1)
            self.assertEqual(world.listener.of("7"), ["offered"])

    def test_a_withdrawal_while_asterisk_is_away_is_made_good(self) -> None:
        world = World()
        customer = world.forwarded()
        world.platform.answer(customer)
        world.settle()
        world.cut()
        world.driver.withdraw("7")
        self.assertEqual(customer.place, "served")
        world.connect()
        world.settle()
        self.assertEqual((customer.place, world.platform.lost()), ("talk", []))

    def test_a_new_exchange_goes_on_with_a_call_that_is_offered_again(self) -> None:
        world = World()
        customer = world.forwarded()
        world.cut()
        world.start()
        world.offer("7", resumed=True)
        world.connect()
        world.settle()
        self.assertEqual(len(world.platform.dialled), 1)
        world.platform.answer(customer)
        world.platform.finish(customer)
        world.settle()
        self.assertEqual(world.listener.of("7"), ["offered", "offered", "accepted", "returned"])

    def test_a_new_exchange_goes_on_with_a_call_that_is_served(self) -> None:
        for meanwhile in (False, True):
            world = World()
            customer = world.forwarded()
            world.platform.answer(customer)
            world.settle()
            world.cut()
            world.start()
            world.driver.resume("7", "1001")
            if meanwhile:
                world.platform.finish(customer)
            world.connect()
            world.settle()
            if not meanwhile:
                world.platform.finish(customer)
                world.settle()
            self.assertEqual(world.listener.of("7"), ["offered", "accepted", "returned"])

    def test_a_call_that_is_nowhere_to_be_found_is_told_as_strayed(self) -> None:
        world = World()
        world.driver.resume("7", "1001")
        world.connect()
        world.settle()
        self.assertEqual(world.listener.of("7"), ["agent_lost"])

    def test_a_customer_of_an_exchange_that_forgot_is_brought_back(self) -> None:
        world = World()
        customer = world.forwarded()
        world.platform.answer(customer)
        world.settle()
        world.cut()
        world.start()
        world.connect()
        world.settle()
        self.assertEqual((customer.place, world.platform.lost()), ("talk", []))
        self.assertEqual(world.listener.of("7"), ["offered", "accepted"])


_AGENTS = ("1001", "1002")
_WIRE = ("perform", "hear", "connect", "cut", "cut done", "restart")
_CALLS = ("call", "offer", "answer", "answer", "refuse", "finish", "customer hangs up", "agent hangs up", "withdraw")
_OPS = st.tuples(
    st.one_of(st.tuples(st.sampled_from(_WIRE)), st.tuples(st.sampled_from(_CALLS * 2), st.sampled_from(_AGENTS))),
    st.sampled_from(["", "settle", "settle", "connect"]),
)
"""What happens, and whether everything has time to settle behind it."""


class InterspersedOptions(SynchronousTestCase):
    """Whatever happens in whatever order."""

    @settings(deadline=None, max_examples=examples(300))
    @given(st.lists(_OPS, min_size=10, max_size=30))
    def test_every_offer_has_one_end_and_nobody_is_left_hanging(self, ops: list[tuple[tuple[str, ...], str]]) -> None:
        world, customers = World(), dict[str, Leg]()
        offered, withdrawn = list[str](), set[str]()
        for agent in _AGENTS:
            customers[agent] = world.platform.call(agent)
        world.connect()
        for (op, *agents), then in ops:
            self._do(world, op, agents[0] if agents else "", customers, offered, withdrawn)
            if then:
                getattr(world, then)()
        world.connect()
        world.settle()
        for leg in world.platform.legs.values():
            if leg.place in ("dialling", "served"):
                serial = leg.variables.get("CTIEX_SERIAL", "")
                self.assertFalse(serial in withdrawn or world.ends(serial), f"{leg.name} was to be brought back")
        self._run_out(world)
        for serial in offered:
            ends = world.ends(serial)
            self.assertLessEqual(len(ends), 1, world.listener.told)
            self.assertTrue(ends or serial in withdrawn, world.listener.told)
        self.assertEqual(world.platform.lost(), [], world.listener.told)
        calls = world.driver._calls
        self.assertEqual((len(calls.transfers), len(calls.offers)), (0, 0))

    def _do(
        self, world: World, op: str, agent: str, customers: dict[str, Leg], offered: list[str], withdrawn: set[str]
    ) -> None:
        customer = customers.get(agent)
        platform = world.platform
        match op:
            case "perform" | "hear" | "connect" | "cut":
                getattr(world, op)()
            case "cut done":
                world.cut(done=True)
            case "restart":
                self._restart(world, offered, withdrawn)
            case "call" if not any(f"/{agent}-" in name for name in platform.legs):
                customers[agent] = platform.call(agent)
            case "offer":
                serial = str(len(offered) + 1)
                offered.append(serial)
                world.offer(serial, agent)
            case "withdraw" if offered:
                withdrawn.add(offered[-1])
                world.driver.withdraw(offered[-1])
            case "agent hangs up":
                for leg in list(platform.legs.values()):
                    if f"/{agent}-" in leg.name:
                        platform.hang_up(leg)
            case "answer" if customer is not None:
                platform.answer(customer)
            case "refuse" if customer is not None:
                platform.refuse(customer, "BUSY")
            case "finish" if customer is not None:
                platform.finish(customer)
            case "customer hangs up" if customer is not None:
                platform.hang_up(customer)

    def _restart(self, world: World, offered: list[str], withdrawn: set[str]) -> None:
        """A new exchange takes up what isn't closed, from a store that kept everything."""
        world.cut()
        calls = world.driver._calls
        offers = {one.offer.serial: one.offer.agent for one in calls.offers}
        agents = {one.serial: one.conversation.agent for one in calls.transfers}
        agents |= calls.resumed
        world.start()
        for serial in offered:
            told = world.listener.of(serial)
            if serial in withdrawn or ENDS & set(told):
                continue
            if "accepted" in told:
                world.driver.resume(serial, agents.get(serial, "1001"))
            else:
                world.offer(serial, offers.get(serial) or agents.get(serial, "1001"), resumed=True)

    def _run_out(self, world: World) -> None:
        """Asterisk is there again, and every service comes to an end."""
        for _ in range(10):
            world.connect()
            world.settle()
            for leg in list(world.platform.legs.values()):
                world.platform.refuse(leg, "NOANSWER")
                world.platform.finish(leg)
        world.settle()


class AsteriskContract(SignallingContract, TestCase):
    """The contract of every driver, over TCP."""

    clock: Any = reactor

    def make_ready(self, answer: int | None) -> Deferred[None]:
        async def listen() -> None:
            self.asterisk = PlatformAsterisk()
            self.asterisk.on_dialled = lambda customer: self._dialled(customer, answer)
            self.port = await self.asterisk.listen(reactor)
            self.addCleanup(self.port.stopListening)
            for serial in ("0", "1", "2", "3", "4"):
                self.asterisk.platform.call(agent_of(serial))

        return ensureDeferred(listen())

    def _dialled(self, customer: Leg, answer: int | None) -> None:
        platform = self.asterisk.platform
        if answer == Status.OK:
            platform.answer(customer)
        elif answer is not None:
            platform.refuse(customer, "BUSY")

    def make_driver(self) -> ISignalling:
        address: Any = self.port.getHost()
        services = {"bill": AsteriskServiceSettings()}
        settings = structure({**TABLE, "endpoint": f"tcp:127.0.0.1:{address.port}"}, AsteriskSettings)
        context = SignallingContext(reactor, self.listener, ServiceSessions(), BinaryCodec(), services, settings)
        self.driver: Any = AsteriskSignallingPlugin().build(context)
        assert ISignalling.providedBy(self.driver)
        self.driver.start()
        self.addCleanup(self.driver.stop)
        return self.driver  # type: ignore[no-any-return]

    async def _begun(self, answer: int | None) -> ISignalling:
        driver = await super()._begun(answer)
        while not self.driver.connected:
            await deferLater(self.clock, 0.01)
        return driver

    def connections(self) -> Sequence[Connection]:
        """What the telephone network carries of them; the exchange's address isn't in it."""
        dialled = self.asterisk.platform.dialled
        return [Connection(dial.split("/")[1].split("@")[0], number, "exchange:7301") for dial, number in dialled]
