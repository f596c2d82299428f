"""What every telephone platform whose calls are controlled does: the simulated one, and each real one with telephones.

A test case gives the rig (what people do at telephones) and the platform, connected. Its destinations are those
of :class:`Numbers`. Nothing is waited for but states of the legs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from attrs import frozen
from zope.interface.verify import verifyObject

from ctiex.errors import Status
from ctiex.interfaces.call_platform import (
    CallDestination,
    CallOut,
    Confer,
    Connect,
    DestinationKind,
    DialFailed,
    Function,
    ICallPlatform,
    Leg,
    LegGone,
    LegPlace,
    LegState,
    OnAnswer,
    PlatformEvent,
    RecordingState,
    Supervise,
    Supervision,
    ToDesk,
)
from ctiex.interfaces.telephony import OrderRefused


@frozen
class Numbers:
    """Who can be called on the platform under test."""

    agent: str
    """An agent's telephone, which rings until somebody picks up."""
    other: str
    """Another agent's, which answers by itself."""
    outside: str
    """A number outside, where somebody answers."""
    busy: str
    silent: str
    """It rings, and nobody answers."""
    unknown: str
    queue: str


class CallPlatformContract:
    """The tests, before a ``TestCase`` of trial in the bases."""

    platform: ICallPlatform
    numbers: Numbers
    _ids = count(1)

    # ------------------------------------------------------------ the rig

    async def until(self, ready: Callable[[], Any]) -> None:
        """Wait until something is so."""
        raise NotImplementedError

    def events(self) -> list[PlatformEvent]:
        """Every event that was told."""
        raise NotImplementedError

    async def customer_calls(self) -> None:
        """A customer calls the agent."""
        raise NotImplementedError

    async def customer_hangs_up(self) -> None:
        """The customer hangs up."""
        raise NotImplementedError

    async def agent_picks_up(self) -> None:
        """The agent answers at the telephone, which rings."""
        raise NotImplementedError

    async def agent_hangs_up(self) -> None:
        """The agent hangs up at the telephone."""
        raise NotImplementedError

    async def connection_is_lost(self) -> None:
        """The connection to the platform is lost, and comes back by itself or is brought back."""
        raise NotImplementedError

    # ------------------------------------------------------------ what the tests share

    @property
    def _legs(self) -> list[Leg]:
        return list(self.platform.legs.all())

    def _agents(self, agent: str) -> list[Leg]:
        return list(self.platform.legs.of_agent(agent))

    def _now(self, leg: Leg) -> Leg | None:
        return self.platform.legs.leg(leg.id)

    def _is(self, leg: Leg, place: LegPlace) -> bool:
        now = self._now(leg)
        return now is not None and now.place is place

    def _together(self, *legs: Leg, place: LegPlace = LegPlace.BRIDGE) -> bool:
        now = [self._now(leg) for leg in legs]
        bridges = {leg.bridge if leg is not None and leg.place is place else "" for leg in now}
        return len(bridges) == 1 and "" not in bridges

    def _gone(self, leg: Leg) -> bool:
        return self._now(leg) is None

    async def _rings(self) -> tuple[Leg, Leg]:
        """A customer's leg, and the agent's, which rings."""
        await self.customer_calls()
        await self.until(lambda: [leg for leg in self._agents(self.numbers.agent) if leg.state is LegState.ALERTING])
        [agent] = self._agents(self.numbers.agent)
        [customer] = [leg for leg in self._legs if leg.id != agent.id]
        return customer, agent

    async def _talk(self) -> tuple[Leg, Leg]:
        customer, agent = await self._rings()
        await self.agent_picks_up()
        await self.until(lambda: self._together(customer, agent))
        return customer, agent

    async def _part(self, customer: Leg, agent: Leg) -> None:
        await self._take(self.platform.part(customer, agent))
        await self.until(lambda: self._is(customer, LegPlace.HOLD) and self._is(agent, LegPlace.DESK))

    async def _connect(self, one: Leg, other: Leg) -> None:
        await self._take(self.platform.connect(self._alive(one), self._alive(other)))
        await self.until(lambda: self._together(one, other))

    def _alive(self, leg: Leg) -> Leg:
        now = self._now(leg)
        assert now is not None, leg
        return now

    async def _take(self, order: Awaitable[None]) -> None:
        """Have an order be taken."""
        await order

    def _out(
        self, name: str, on_answer: OnAnswer, desk: str = "", kind: DestinationKind = DestinationKind.AGENT,
        seconds: float = 30.0,
    ) -> CallOut:  # fmt: skip
        id = f"contract-{next(self._ids)}"
        return CallOut(id, f"{id}-call", CallDestination(kind, name), on_answer, seconds, desk=desk)

    async def _called(self, out: CallOut) -> Leg:
        await self._take(self.platform.call(out))
        await self.until(lambda: (leg := self.platform.legs.leg(out.id)) and leg.state is LegState.CONNECTED)
        leg = self.platform.legs.leg(out.id)
        assert leg is not None
        return leg

    # ------------------------------------------------------------ what shows

    async def test_it_provides_the_interface(self) -> None:
        assert verifyObject(ICallPlatform, self.platform)

    async def test_a_call_shows_from_its_first_ring_to_its_end(self) -> None:
        customer, agent = await self._rings()
        assert (customer.agent, agent.agent) == ("", self.numbers.agent)
        assert agent.call == customer.call == customer.id
        assert agent.dialled_by == customer.id
        await self.agent_picks_up()
        await self.until(lambda: self._together(customer, agent))
        await self.customer_hangs_up()
        await self.until(lambda: not self._legs)
        gone = [event.id for event in self.events() if isinstance(event, LegGone)]
        assert {customer.id, agent.id} <= set(gone)

    async def test_a_rejected_call_ends_at_the_agent(self) -> None:
        _, agent = await self._rings()
        await self._take(self.platform.hang_up(agent, 21))
        await self.until(lambda: self._gone(agent))

    # ------------------------------------------------------------ hold and connect

    async def test_hold_and_connect_again_and_again(self) -> None:
        customer, agent = await self._talk()
        for _ in range(3):
            await self._part(customer, agent)
            assert self._alive(customer).desk == agent.id
            assert self._alive(agent).at_desk
            await self._connect(customer, agent)

    async def test_an_agents_leg_at_the_desk_stays_when_the_customer_hangs_up(self) -> None:
        customer, agent = await self._talk()
        await self._part(customer, agent)
        await self._connect(customer, agent)
        await self.customer_hangs_up()
        await self.until(lambda: self._gone(customer) and self._is(agent, LegPlace.DESK))
        await self._take(self.platform.hang_up(agent))
        await self.until(lambda: self._gone(agent))

    async def test_a_customer_whose_agent_hangs_up_is_over_too(self) -> None:
        customer, agent = await self._talk()
        await self._part(customer, agent)
        await self._connect(customer, agent)
        await self.agent_hangs_up()
        await self.until(lambda: self._gone(customer) and self._gone(agent))

    # ------------------------------------------------------------ consultation, transfer, conference

    async def _consultation(self) -> tuple[Leg, Leg, Leg]:
        customer, agent = await self._talk()
        await self._part(customer, agent)
        target = await self._called(self._out(self.numbers.other, Connect(agent.id), agent.id))
        await self.until(lambda: self._together(target, agent))
        return customer, agent, target

    async def test_who_is_consulted_has_a_call_of_their_own_and_is_alternated(self) -> None:
        customer, agent, target = await self._consultation()
        assert target.call == f"{target.id}-call"
        assert self._is(customer, LegPlace.HOLD)
        await self._take(self.platform.hold(target, self._alive(agent)))
        await self.until(lambda: self._is(target, LegPlace.HOLD) and self._is(agent, LegPlace.DESK))
        await self._connect(customer, agent)

    async def test_a_transfer_leaves_the_agent_at_the_desk(self) -> None:
        customer, agent, target = await self._consultation()
        await self._connect(customer, target)
        await self.until(lambda: self._is(agent, LegPlace.DESK))
        await self._take(self.platform.tag(self._alive(target), customer.call))
        await self.until(lambda: self._alive(target).call == customer.call)
        await self._take(self.platform.hang_up(self._alive(agent)))
        await self.until(lambda: self._gone(agent))
        assert self._together(customer, target)

    async def test_a_conference_of_three(self) -> None:
        customer, agent, target = await self._consultation()
        await self._take(self.platform.confer((self._alive(agent), self._alive(target)), "room"))
        await self.until(lambda: self._together(agent, target, place=LegPlace.CONFERENCE))
        await self._take(self.platform.confer((self._alive(customer),), "room"))
        await self.until(lambda: self._together(customer, agent, target, place=LegPlace.CONFERENCE))
        await self._take(self.platform.hang_up(self._alive(target)))
        await self.until(lambda: self._gone(target))
        assert self._together(customer, agent, place=LegPlace.CONFERENCE)

    async def test_somebody_is_called_into_a_conference(self) -> None:
        customer, agent = await self._talk()
        await self._take(self.platform.confer((customer, agent), "room"))
        await self.until(lambda: self._together(customer, agent, place=LegPlace.CONFERENCE))
        third = await self._called(self._out(self.numbers.other, Confer("room")))
        await self.until(lambda: self._together(customer, agent, third, place=LegPlace.CONFERENCE))

    # ------------------------------------------------------------ calling, and sending on

    async def test_an_agents_phone_is_called_to_its_desk(self) -> None:
        desk = await self._called(self._out(self.numbers.other, ToDesk()))
        await self.until(lambda: self._is(desk, LegPlace.DESK))
        outside = self._out(self.numbers.outside, Connect(desk.id), desk.id, DestinationKind.NUMBER)
        other = await self._called(outside)
        await self.until(lambda: self._together(other, desk))
        await self._take(self.platform.hang_up(self._alive(other)))
        await self.until(lambda: self._is(desk, LegPlace.DESK))

    async def test_why_nobody_was_reached_is_told_apart(self) -> None:
        desk = await self._called(self._out(self.numbers.other, ToDesk()))
        await self.until(lambda: self._is(desk, LegPlace.DESK))
        for name, status in (
            (self.numbers.busy, Status.BUSY),
            (self.numbers.silent, Status.NO_ANSWER),
            (self.numbers.unknown, Status.NO_SUCH_DESTINATION),
        ):
            out = self._out(name, Connect(desk.id), desk.id, DestinationKind.NUMBER, seconds=2)
            await self._take(self.platform.call(out))
            await self.until(lambda out=out: self._why(out))  # type: ignore[misc]
            assert self._why(out) == [status], name
            assert self.platform.legs.leg(out.id) is None, name
            assert self._is(desk, LegPlace.DESK)

    def _why(self, out: CallOut) -> list[int]:
        return [event.status for event in self.events() if isinstance(event, DialFailed) and event.id == out.id]

    async def test_a_customer_is_sent_on(self) -> None:
        customer, agent = await self._talk()
        await self._part(customer, agent)
        other = CallDestination(DestinationKind.AGENT, self.numbers.other)
        await self._take(self.platform.send(self._alive(customer), other, 20))
        await self.until(lambda: self._agents(self.numbers.other))
        [target] = self._agents(self.numbers.other)
        await self.until(lambda: self._together(customer, target))
        assert target.call == customer.call

    async def test_a_customer_who_is_sent_to_nobody_is_looked_after(self) -> None:
        customer, agent = await self._talk()
        await self._part(customer, agent)
        unknown = CallDestination(DestinationKind.NUMBER, self.numbers.unknown)
        await self._take(self.platform.send(self._alive(customer), unknown, 5))
        await self.until(lambda: self._is_looked_after(customer))

    async def test_a_customer_falls_back(self) -> None:
        customer, agent = await self._talk()
        await self._part(customer, agent)
        await self._take(self.platform.fall_back(self._alive(customer)))
        await self.until(lambda: self._is_looked_after(customer))

    def _is_looked_after(self, customer: Leg) -> bool:
        """Whether the fallback has the customer: a queue, or whoever is rung there."""
        now = self._now(customer)
        return now is not None and now.place in (LegPlace.QUEUE, LegPlace.BRIDGE) and not now.desk

    # ------------------------------------------------------------ what else

    async def test_an_order_about_a_leg_that_is_gone_is_refused_and_a_hang_up_is_no_error(self) -> None:
        customer, agent = await self._talk()
        await self.customer_hangs_up()
        await self.until(lambda: not self._legs)
        try:
            await self._take(self.platform.part(customer, agent))
        except OrderRefused:
            pass
        else:
            raise AssertionError("it was taken")
        await self._take(self.platform.hang_up(customer))

    async def test_a_snapshot_shows_what_the_events_have_shown(self) -> None:
        customer, agent, target = await self._consultation()
        before = {leg.id: _shown(leg) for leg in self._legs}
        await self.connection_is_lost()
        await self.until(lambda: self.platform.connected)
        assert {leg.id: _shown(leg) for leg in self._legs} == before
        await self._connect(customer, target)
        await self.until(lambda: self._is(agent, LegPlace.DESK))

    async def test_a_leg_is_recorded(self) -> None:
        if Function.RECORDING not in self.platform.functions:
            return
        customer, _ = await self._talk()
        for state in (RecordingState.ON, RecordingState.PAUSED, RecordingState.ON, RecordingState.OFF):
            await self._take(self.platform.record(self._alive(customer), state, "contract"))
            await self.until(lambda state=state: self._alive(customer).recording is state)  # type: ignore[misc]

    async def test_a_supervisor_takes_part(self) -> None:
        if Function.SUPERVISION not in self.platform.functions:
            return
        customer, agent = await self._talk()
        leg = await self._called(self._out(self.numbers.other, Supervise(agent.id, Supervision.LISTEN)))
        await self.until(lambda: self._is(leg, LegPlace.SUPERVISION))
        assert self._alive(leg).supervised == agent.id
        await self._take(self.platform.supervise(self._alive(leg), Supervision.BARGE))
        await self.until(lambda: self._alive(leg).supervision is Supervision.BARGE)
        await self._take(self.platform.hang_up(self._alive(leg)))
        await self.until(lambda: self._gone(leg))
        assert self._together(customer, agent)

    async def test_an_agent_is_a_member_of_queues(self) -> None:
        if Function.QUEUES not in self.platform.functions:
            return
        agent, queues = self.numbers.other, (self.numbers.queue,)
        await self._take(self.platform.queue_log_in(agent, agent, queues, "logged in"))
        await self.until(lambda: (told := self.platform.membership(agent)) and told.paused and told.queues == queues)
        await self._take(self.platform.queue_unpause(agent))
        await self.until(lambda: (told := self.platform.membership(agent)) and not told.paused)
        await self._take(self.platform.queue_pause(agent, "lunch"))
        await self.until(lambda: (told := self.platform.membership(agent)) and told.reason == "lunch")
        await self._take(self.platform.queue_log_out(agent))
        await self.until(lambda: self.platform.membership(agent) is None)


def _shown(leg: Leg) -> tuple[Any, ...]:
    return leg.call, leg.agent, leg.state, leg.place, leg.desk, leg.at_desk
