"""Legs are moved on a real Asterisk: held and retrieved, consulted, transferred, put into conferences, sent on."""

from __future__ import annotations

import pytest

from ctiex.interfaces.call_platform import (
    CallDestination,
    Confer,
    DestinationKind,
    Leg,
    LegPlace,
)
from ctiex.interfaces.telephony import OrderRefused

from .calls_world import AGENT, ANSWERS, BUSY, CUSTOMER, MUSIC, REJECTS, RINGS, UNKNOWN, CallsCase, reactor
from .tap import VOICE

PAIRS, MANY_PAIRS = 50, 200


@pytest.mark.telephony_cti
class MovesOn22(CallsCase):
    """Asterisk 22."""

    async def test_hold_and_retrieve(self) -> None:
        customer, agent = await self.talk()
        await self.part(customer, agent)
        self.assertEqual((customer.desk, agent.at_desk), (agent.id, True))
        await self.hears(self.world.customer, MUSIC)
        await self.connect(customer, agent)
        await self.hears(self.world.customer, AGENT)
        await self.hears(self.world.agent, CUSTOMER)
        await self.hold_and_retrieve(customer, agent, PAIRS)
        await self.hears(self.world.customer, AGENT)
        await self.hang_up_all()

    async def hold_and_retrieve(self, customer: Leg, agent: Leg, times: int) -> None:
        """Again and again, and tell what it took."""
        took: list[tuple[float, float]] = []
        mark = len(self.world.platform_1.witness.happened)
        for _ in range(times):
            began = reactor.seconds()
            await self.part(customer, agent)
            middle = reactor.seconds()
            await self.connect(customer, agent)
            took.append((middle - began, reactor.seconds() - middle))
        holds, retrieves = (sorted(1_000 * one[index] for one in took) for index in (0, 1))
        tried = [event for event in self.world.platform_1.witness.happened.since(mark)
                 if event.get("Variable") == "CTIEX_TRIES" and event["Value"] != "0"]  # fmt: skip
        print(
            f"Asterisk {self.version}, {times} times: hold {holds[times // 2]:.1f} ms, at most {holds[-1]:.1f};"
            f" retrieve {retrieves[times // 2]:.1f} ms, at most {retrieves[-1]:.1f}; tried again {len(tried)} times"
        )

    async def test_consultation_alternation_and_transfer(self) -> None:
        customer, agent = await self.talk()
        await self.part(customer, agent)
        target = await self.consult(agent, "1002")
        self.assertEqual((target.desk, target.agent, target.call), (agent.id, "1002", f"call-{target.id}"))
        await self.hears(self.world.agents[1], AGENT)
        await self.hears(self.world.customer, MUSIC)
        for _ in range(3):
            await self.platform.hold(target, agent)
            await self.until(lambda: self.is_at(target, LegPlace.HOLD) and self.is_at(agent, LegPlace.DESK))
            await self.connect(customer, agent)
            await self.part(customer, agent)
            await self.connect(target, agent)
        await self.connect(customer, target)
        await self.at(agent, LegPlace.DESK)
        self.assertEqual((customer.desk, target.desk), ("", ""))
        await self.hears(self.world.agents[1], CUSTOMER)
        await self.hears(self.world.customer, AGENT)
        await self.world.customer.hang_up()
        await self.gone(customer, target)
        self.assertTrue(self.is_at(agent, LegPlace.DESK))
        await self.hang_up_all()

    async def test_whoever_was_consulted_keeps_the_customer_like_any_agent(self) -> None:
        customer, agent = await self.talk()
        await self.part(customer, agent)
        target = await self.consult(agent, "1002")
        await self.connect(customer, target)
        await self.platform.hang_up(agent)
        await self.gone(agent)
        await self.part(customer, target)
        await self.connect(customer, target)
        await self.hears(self.world.customer, AGENT)
        await self.world.agents[1].hang_up()
        await self.gone(customer, target)
        await self.world.empty()

    async def test_whose_agent_is_taken_away_is_held_for_them(self) -> None:
        customer, agent = await self.talk()
        await self.part(customer, agent)
        target = await self.consult(agent, ANSWERS, DestinationKind.NUMBER)
        with self.assertRaises(OrderRefused):
            await self.platform.connect(customer, agent)  # without a word about the other one
        await self.platform.confer((agent,), "room-3")
        await self.at(target, LegPlace.HOLD)
        self.assertEqual(target.desk, agent.id)
        await self.platform.to_desk(agent)
        await self.at(agent, LegPlace.DESK)
        await self.connect(customer, agent)
        await self.hears(self.world.customer, AGENT)
        await self.hang_up_all()

    async def test_two_who_are_held_are_connected_and_part_like_any_two(self) -> None:
        customer, agent = await self.talk()
        for again in (False, True):
            if again:
                customer = (await self.talk("1002"))[0]
                await self.connect(customer, agent)
            await self.part(customer, agent)
            target = await self.consult(agent, ANSWERS, DestinationKind.NUMBER)
            await self.platform.hold(target, agent)
            await self.until(
                lambda target=target: self.is_at(target, LegPlace.HOLD) and self.is_at(agent, LegPlace.DESK)
            )
            await self.connect(customer, target)
            await self.hears(self.world.customer, CUSTOMER)
            if again:
                await self.platform.hang_up(target)
            else:
                await self.world.customer.hang_up()
            await self.gone(customer, target)
        self.assertTrue(self.is_at(agent, LegPlace.DESK))
        await self.hang_up_all()

    async def test_the_agents_telephone_vanishes_while_the_customer_talks(self) -> None:
        customer, agent = await self.talk()
        await self.part(customer, agent)
        await self.connect(customer, agent)
        await self.driver.stop()
        mark = len(self.world.platform_1.witness.happened)
        await self.world.agent.kill()
        await self.world.platform_1.witness.event("QueueCallerJoin", mark, Uniqueid=customer.id)
        await self.hears(self.world.customer, AGENT)

    async def test_a_consultation_with_a_number_outside_ends_and_the_customer_is_back(self) -> None:
        customer, agent = await self.talk()
        await self.part(customer, agent)
        target = await self.consult(agent, ANSWERS, DestinationKind.NUMBER)
        self.assertEqual((target.agent, target.number), ("", ANSWERS))
        await self.platform.hang_up(target)
        await self.gone(target)
        await self.at(agent, LegPlace.DESK)
        await self.connect(customer, agent)
        await self.hang_up_all()

    async def test_conferences(self) -> None:
        customer, agent = await self.talk()
        await self.platform.confer((customer, agent), "room-1")
        await self.together(customer, agent, place=LegPlace.CONFERENCE)
        self.assertFalse(agent.at_desk)
        id = await self.call(DestinationKind.AGENT, "1002", Confer("room-1"))
        await self.until(lambda: self.is_up(id))
        third = self.alive(id)
        await self.together(customer, agent, third, place=LegPlace.CONFERENCE)
        self.assertEqual(customer.bridge, "room-1")
        await self.hears(self.world.customer, AGENT)
        await self.hears(self.world.agents[1], VOICE)  # of two people at once
        await self.platform.to_desk(agent)
        await self.at(agent, LegPlace.DESK)
        await self.together(customer, third, place=LegPlace.CONFERENCE)
        await self.hears(self.world.agents[1], CUSTOMER)
        await self.platform.confer((agent,), "room-1")
        await self.together(customer, agent, third, place=LegPlace.CONFERENCE)
        await self.world.agents[1].hang_up()
        await self.gone(third)
        await self.world.customer.hang_up()
        await self.gone(customer)
        await self.at(agent, LegPlace.DESK)
        await self.hang_up_all()

    async def test_a_consultation_becomes_a_conference_and_a_call_for_two_again(self) -> None:
        customer, agent = await self.talk()
        await self.part(customer, agent)
        target = await self.consult(agent, "1002")
        await self.platform.confer((agent, target), "room-2")
        await self.together(agent, target, place=LegPlace.CONFERENCE)
        await self.platform.confer((customer,), "room-2")
        await self.together(customer, agent, target, place=LegPlace.CONFERENCE)
        await self.platform.hang_up(target)
        await self.gone(target)
        await self.part(customer, agent)
        await self.connect(customer, agent)
        await self.hears(self.world.customer, AGENT)
        await self.hang_up_all()

    async def send(self, customer: Leg, kind: DestinationKind, name: str, seconds: float = 20) -> None:
        await self.platform.send(customer, CallDestination(kind, name), seconds)

    async def test_a_customer_is_sent_on(self) -> None:
        customer, agent = await self.talk()
        await self.part(customer, agent)
        await self.send(customer, DestinationKind.NUMBER, ANSWERS)
        await self.until(lambda: bool(self.legs_of(ANSWERS)) and self.is_up(self.leg(ANSWERS).id))
        target = self.leg(ANSWERS)
        await self.together(customer, target)
        self.assertEqual((target.dialled_by, target.call, customer.desk), (customer.id, customer.call, ""))
        await self.hears(self.world.customer, CUSTOMER)
        await self.platform.hang_up(agent)
        await self.platform.hang_up(target)
        await self.gone(customer, agent, target)

    async def test_a_customer_whom_nobody_takes_goes_to_the_fallback(self) -> None:
        for name, seconds in ((BUSY, 20), (UNKNOWN, 20), (REJECTS, 20), (RINGS, 1)):
            customer, agent = await self.talk()
            await self.part(customer, agent)
            await self.send(customer, DestinationKind.NUMBER, name, seconds)
            await self.until(lambda customer=customer: bool(self.legs_of("1004"))
                             and self.are_together(customer, self.leg("1004")))  # fmt: skip
            self.assertEqual(customer.queue, "support", name)
            await self.hears(self.world.customer, AGENT)
            await self.hang_up_all()

    async def test_a_customer_is_sent_to_an_agent_and_to_a_queue(self) -> None:
        customer, agent = await self.talk()
        await self.send(customer, DestinationKind.AGENT, "1002")  # the first agent's leg has no dialplan of its own
        await self.until(lambda: bool(self.legs_of("1002")) and self.are_together(customer, self.leg("1002")))
        await self.gone(agent)
        await self.part(customer, self.leg("1002"))
        await self.send(customer, DestinationKind.QUEUE, "support")
        await self.until(lambda: bool(self.legs_of("1004")) and self.are_together(customer, self.leg("1004")))
        await self.part(customer, self.leg("1004"))
        await self.platform.send(customer, CallDestination(DestinationKind.QUEUE, "nowhere"), 20)
        await self.until(lambda: len(self.legs_of("1004")) == 2 or customer.place is LegPlace.QUEUE)
        await self.hang_up_all()

    async def test_the_agents_telephone_vanishes_while_the_customer_is_held(self) -> None:
        customer, agent = await self.talk()
        await self.part(customer, agent)
        await self.driver.stop()
        mark = len(self.world.platform_1.witness.happened)
        await self.world.agent.kill()  # its media stop
        await self.world.platform_1.witness.event("QueueCallerJoin", mark, Uniqueid=customer.id)
        await self.hears(self.world.customer, AGENT)


class MovesOn16(MovesOn22):
    """Asterisk 16."""

    version = 16


@pytest.mark.telephony_cti
class ImpatienceOn22(CallsCase):
    """Nobody is held for ever, Asterisk 22."""

    settings = {"held_longest": 2}

    async def test_a_customer_who_is_held_too_long_comes_back(self) -> None:
        customer, agent = await self.talk()
        await self.part(customer, agent)
        await self.driver.stop()
        mark = len(self.world.platform_1.witness.happened)
        await self.world.platform_1.witness.event("BridgeEnter", mark, Uniqueid=agent.id)
        await self.hears(self.world.customer, AGENT)
        await self.world.customer.hang_up()

    async def test_a_customer_who_is_held_too_long_for_an_agent_who_talks_goes_to_the_fallback(self) -> None:
        customer, agent = await self.talk()
        await self.part(customer, agent)
        target = await self.consult(agent, "1002")
        await self.until(lambda: bool(self.legs_of("1004")) and self.are_together(customer, self.leg("1004")))
        await self.together(target, agent)
        await self.hang_up_all()


class ImpatienceOn16(ImpatienceOn22):
    """Nobody is held for ever, Asterisk 16."""

    version = 16


@pytest.mark.long
class LongOn22(CallsCase):
    """Hold and retrieve for long, Asterisk 22."""

    hold_and_retrieve = MovesOn22.hold_and_retrieve

    async def test_nobody_is_lost(self) -> None:
        customer, agent = await self.talk()
        await self.part(customer, agent)
        await self.connect(customer, agent)
        await self.hold_and_retrieve(customer, agent, MANY_PAIRS)
        await self.hears(self.world.customer, AGENT)
        await self.hears(self.world.agent, CUSTOMER)
        await self.hang_up_all()


class LongOn16(LongOn22):
    """Hold and retrieve for long, Asterisk 16."""

    version = 16
