"""Signalling by Asterisk: customers are forwarded and brought back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ctiex.errors import Status
from ctiex.interfaces import Signalled
from ctiex.telephony.asterisk.ami import AmiMessage
from ctiex.telephony.asterisk.settings import AsteriskServiceSettings
from tests.asterisk_world import World


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
