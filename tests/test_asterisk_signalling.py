"""Signalling by Asterisk: its stages, its settings, the calls that it sees, the contract of every driver."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
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
from ctiex.errors import ConfigurationError, Status
from ctiex.interfaces import ISignalling, ISignallingPlugin, SignallingContext
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
from tests.asterisk_world import TABLE, World
from tests.fake_platform import Leg, PlatformAsterisk

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
