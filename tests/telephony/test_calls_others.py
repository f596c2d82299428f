"""What else is done on a real Asterisk: calls that fail, digits, supervision, recording, queues, what phones do."""

from __future__ import annotations

import math
import wave
from array import array
from typing import Any

import pytest

from ctiex.interfaces.call_platform import (
    AttendedTransferSeen,
    BlindTransferSeen,
    DestinationKind,
    DialFailed,
    Function,
    Leg,
    LegGone,
    LegPlace,
    LegState,
    QueueMembership,
    RecordingState,
    Supervise,
    Supervision,
    ToDesk,
)
from ctiex.interfaces.telephony import OrderRefused

from .calls_world import (
    AGENT,
    ANSWERS,
    BROKEN,
    BUSY,
    CUSTOMER,
    MUSIC,
    REJECTS,
    RINGS,
    UNKNOWN,
    CallsCase,
)
from .tap import VOICE
from .world import AGENT_TONE, CUSTOMER_TONE


def loudness(samples: array[int], tone: int) -> float:
    """How much there is of a tone in what was recorded."""
    turn = 2 * math.pi * tone / 8_000
    real = sum(sample * math.cos(turn * at) for at, sample in enumerate(samples))
    other = sum(sample * math.sin(turn * at) for at, sample in enumerate(samples))
    return math.hypot(real, other) / len(samples)


@pytest.mark.telephony_cti
class OthersOn22(CallsCase):
    """Asterisk 22."""

    async def fails(self, kind: DestinationKind, name: str, status: int, seconds: float = 20) -> None:
        id = await self.call(kind, name, ToDesk(), seconds=seconds)
        failed = await self.event(DialFailed, id=id)
        self.assertEqual(failed.status, status, (name, failed))
        self.assertIsNone(self.platform.legs.leg(id))

    async def test_why_a_device_isnt_reached_is_told(self) -> None:
        await self.fails(DestinationKind.NUMBER, BUSY, 63)
        await self.fails(DestinationKind.NUMBER, REJECTS, 63)
        await self.fails(DestinationKind.NUMBER, UNKNOWN, 65)
        await self.fails(DestinationKind.NUMBER, RINGS, 64, 1)
        await self.fails(DestinationKind.NUMBER, BROKEN, 66)
        await self.fails(DestinationKind.AGENT, "1009", 66)
        await self.fails(DestinationKind.AGENT, "1003", 64, 1)
        id = await self.call(DestinationKind.AGENT, "1003", ToDesk())
        await self.until(lambda: len(self.legs_of("1003")) == 1 and self.leg("1003").state is LegState.ALERTING)
        await self.world.agents[2].hang_up()
        self.assertEqual((await self.event(DialFailed, id=id)).status, 63)
        await self.world.agents[2].kill()
        await self.fails(DestinationKind.AGENT, "1003", 66, 1)
        for wrong in ("1003&1001", "../x", "", "1" * 33):
            with self.assertRaises(OrderRefused):
                await self.call(DestinationKind.AGENT, wrong, ToDesk())
        self.assertEqual(len(self.platform._legs.called), 0)

    async def test_a_ringing_leg_is_rejected_and_an_order_to_call_taken_back(self) -> None:
        await self.world.customer.dial("1003")
        await self.until(lambda: len(self.legs_of("1003")) == 1 and self.leg("1003").state is LegState.ALERTING)
        ringing, customer = self.leg("1003"), self.leg(self.world.customer.number)
        self.assertEqual((ringing.dialled_by, ringing.call, ringing.outbound), (customer.id, customer.call, True))
        with self.assertRaises(OrderRefused):
            await self.platform.hold(ringing, customer)
        await self.platform.hang_up(ringing, 21)
        gone = await self.event(LegGone, id=ringing.id)
        self.assertEqual(gone.cause, 21)
        await self.gone(customer)
        id = await self.call(DestinationKind.AGENT, "1003", ToDesk())
        await self.until(lambda: len(self.legs_of("1003")) == 1 and self.leg("1003").state is LegState.ALERTING)
        await self.platform.hang_up(self.alive(id))
        self.assertEqual((await self.event(DialFailed, id=id)).status, 64)
        await self.platform.hang_up(Leg("nobody"))

    async def test_a_call_from_the_desk(self) -> None:
        id = await self.call(DestinationKind.AGENT, "1001", ToDesk())
        await self.until(lambda: self.is_up(id) and self.is_at(self.alive(id), LegPlace.DESK))
        agent = self.alive(id)
        self.assertTrue(agent.at_desk)
        out = await self.consult(agent, ANSWERS, DestinationKind.NUMBER)
        await self.hears(self.world.agent, CUSTOMER)
        told = await self.world.platform_1.witness.ask("Getvar", Channel=out.id, Variable="CTIEX_FALLBACK")
        self.assertEqual(told["Value"], "fallback,s,1")
        await self.platform.tag(out, "another-call")
        self.assertEqual([leg.id for leg in self.platform.legs.of_call("another-call")], [out.id])
        await self.platform.send_digits(out, "12*#")
        event = await self.world.platform_2.witness.event("UserEvent", UserEvent="keys")
        self.assertEqual(event["Keys"], "12*")  # # ends what is read
        await self.part(out, agent)
        await self.connect(out, agent)
        await self.world.agent.hang_up()
        await self.gone(agent, out)

    async def test_supervision(self) -> None:
        customer, agent = await self.talk()
        id = await self.call(DestinationKind.AGENT, "1002", Supervise(agent.id, Supervision.LISTEN))
        await self.until(lambda: self.is_up(id) and self.is_at(self.alive(id), LegPlace.SUPERVISION))
        supervisor = self.alive(id)
        self.assertEqual((supervisor.supervised, supervisor.supervision), (agent.id, Supervision.LISTEN))
        await self.hears(self.world.agents[1], VOICE)  # both of them
        await self.hears(self.world.customer, AGENT)
        await self.hears(self.world.agent, CUSTOMER)
        await self.platform.supervise(supervisor, Supervision.WHISPER)
        await self.hears(self.world.agent, VOICE)
        self.assertEqual(self.world.tap.hears(self.world.customer.host), AGENT)
        await self.platform.supervise(supervisor, Supervision.BARGE)
        await self.at(supervisor, LegPlace.SUPERVISION)
        self.assertEqual(supervisor.supervision, Supervision.BARGE)
        await self.part(customer, agent)
        await self.connect(customer, agent)
        await self.world.customer.hang_up()
        await self.gone(customer)
        await self.platform.hang_up(agent)
        await self.gone(agent, supervisor)
        await self.world.empty()

    async def record(self, customer: Leg, state: RecordingState) -> None:
        await self.platform.record(customer, state, "call-1")
        await self.until(lambda: customer.recording is state)

    async def held_and_back(self, customer: Leg, agent: Leg) -> None:
        await self.part(customer, agent)
        await self.hears(self.world.customer, MUSIC)
        await self.connect(customer, agent)
        await self.hears(self.world.customer, AGENT)
        await self.hears(self.world.agent, CUSTOMER)

    async def test_recording(self) -> None:
        customer, agent = await self.talk()
        lengths = []
        for last in (RecordingState.PAUSED, RecordingState.OFF):
            await self.record(customer, RecordingState.ON)
            await self.held_and_back(customer, agent)
            mark = len(self.world.platform_1.witness.happened)
            await self.record(customer, last)
            await self.written(mark)
            lengths.append(len(self.recorded()))
            await self.held_and_back(customer, agent)
            self.assertEqual(len(self.recorded()), lengths[-1])
        self.assertGreater(lengths[1], lengths[0])
        samples = self.recorded()
        loud = {tone: loudness(samples, tone) for tone in (AGENT_TONE, CUSTOMER_TONE, 1_900)}
        self.assertGreater(min(loud[AGENT_TONE], loud[CUSTOMER_TONE]), 20 * loud[1_900], loud)
        await self.hang_up_all()

    async def written(self, mark: int) -> None:
        """Wait until the file is closed."""
        await self.world.platform_1.witness.happened.wait(
            lambda event: event.get("Event") == "Hangup" and event["Channel"].startswith("Local/s@ctiex-record-")
            and event["Channel"].endswith(";2"), "the end of the recording", mark,
        )  # fmt: skip

    def recorded(self) -> array[int]:
        path = self.world.platform_1.folder / "spool/monitor/call-1.wav"
        with wave.open(str(path)) as file:
            return array("h", file.readframes(file.getnframes()))

    async def test_a_telephones_own_hold_and_transfer(self) -> None:
        customer, agent = await self.talk()
        mark = len(self.told)
        await self.world.agent._tell("hold")
        await self.until(lambda: agent.held_at_phone)
        await self.world.agent._tell("resume")
        await self.until(lambda: not agent.held_at_phone)
        await self.world.agent.transfer("1002")
        seen = await self.event(BlindTransferSeen, mark)
        self.assertEqual((seen.leg, seen.by, seen.number), (customer.id, agent.id, "1002"))
        await self.until(lambda: len(self.legs_of("1002")) == 1 and self.are_together(customer, self.leg("1002")))
        await self.gone(agent)
        await self.hang_up_all()

    async def test_a_transfer_with_keys_of_the_telephone(self) -> None:
        await self.world.customer.dial("901")
        await self.until(lambda: bool(self.legs_of("1001")) and self.are_together(*self.platform.legs.all()))
        customer, agent = self.leg(self.world.customer.number), self.leg("1001")
        await self.hears(self.world.agent, CUSTOMER)
        await self.world.agent.type("*2")
        await self.hears(self.world.customer, MUSIC)
        await self.world.agent.type("1002")
        await self.until(lambda: len(self.legs_of("1002")) == 1 and self.is_up(self.leg("1002").id))
        await self.hears(self.world.agents[1], AGENT)
        mark = len(self.told)
        await self.world.agent.hang_up()
        target = self.leg("1002")
        seen = await self.event(AttendedTransferSeen, mark)
        self.assertEqual((seen.leg, seen.other, seen.by), (customer.id, target.id, agent.id))
        await self.together(customer, target)
        await self.part(customer, target)
        await self.connect(customer, target)
        await self.hears(self.world.customer, AGENT)
        await self.hang_up_all()


class OthersOn16(OthersOn22):
    """Asterisk 16."""

    version = 16


@pytest.mark.telephony_cti
class NotifyOn22(CallsCase):
    """A telephone that doesn't know how to answer, Asterisk 22."""

    settings = {"username": "witness", "secret": "seen", "answer_by_notify": True}

    async def test_it_goes_on_ringing(self) -> None:
        self.assertIn(Function.ANSWER, self.platform.functions)
        await self.world.customer.dial("1003")
        await self.until(lambda: len(self.legs_of("1003")) == 1 and self.leg("1003").state is LegState.ALERTING)
        ringing, customer = self.leg("1003"), self.leg(self.world.customer.number)
        await self.platform.answer(ringing)
        phone = self.world.agents[2].host
        await self.world.tap.messages.wait(
            lambda message: message.source == phone and message.method == "NOTIFY" and message.status >= 400,
            "that the telephone refuses",
        )
        self.assertIs(self.alive(ringing.id).state, LegState.ALERTING)
        await self.world.agents[2].answer()
        await self.together(customer, ringing)
        await self.hang_up_all()


class NotifyOn16(NotifyOn22):
    """A telephone that doesn't know how to answer, Asterisk 16."""

    version = 16


@pytest.mark.telephony_cti
class QueuesOn22(CallsCase):
    """Asterisk 22."""

    customers = 2

    async def log_in(self, agent: str = "1001") -> None:
        await self.platform.queue_log_in(agent, "", ("desks",), "begins")
        told = await self.event(QueueMembership, agent=agent, paused=True, reason="begins")
        self.assertEqual((told.queues, told.device), (("desks",), agent))

    async def test_log_in_pause_and_log_out(self) -> None:
        self.assertEqual(self.platform.functions & (Function.QUEUES | Function.ANSWER), Function.QUEUES)
        for again in (False, True):
            if again:
                await self.platform.queue_log_in("1001", "", ("desks", "support"), "again")
                await self.until(lambda: self.membership() == (("desks", "support"), True, "again"))
            else:
                await self.log_in()
        await self.platform.queue_unpause("1001")
        await self.until(lambda: self.membership() == (("desks", "support"), False, ""))
        await self.platform.queue_pause("1001", "tea")
        await self.until(lambda: self.membership() == (("desks", "support"), True, "tea"))
        await self.platform.queue_log_out("1001")
        await self.until(lambda: self.platform.membership("1001") is None)
        await self.event(QueueMembership, agent="1001", queues=())
        self.assertEqual(self.platform.membership("1004").queues, ("support",))  # of queues.conf
        await self.platform.queue_log_out("1001")

    def membership(self) -> tuple[Any, ...]:
        now = self.platform.membership("1001")
        return () if now is None else (now.queues, now.paused, now.reason)

    async def test_a_call_of_a_queue_is_controlled_like_any_other(self) -> None:
        await self.world.customer.dial("801")
        await self.until(lambda: bool(self.legs_of(self.world.customer.number))
                         and self.is_at(self.leg(self.world.customer.number), LegPlace.QUEUE))  # fmt: skip
        customer = self.leg(self.world.customer.number)
        self.assertEqual(customer.queue, "desks")
        await self.log_in()
        await self.platform.queue_unpause("1001")
        await self.until(lambda: bool(self.legs_of("1001")) and self.are_together(customer, self.leg("1001")))
        agent = self.leg("1001")
        self.assertEqual((agent.dialled_by, agent.call, customer.queue), (customer.id, customer.call, "desks"))
        await self.part(customer, agent)
        await self.connect(customer, agent)
        await self.hears(self.world.customer, AGENT)
        await self.hang_up_all()

    async def test_an_agent_off_the_hook_has_calls_of_a_queue_joined_to_the_desk(self) -> None:
        id = await self.call(DestinationKind.AGENT, "1001", ToDesk())
        await self.until(lambda: self.is_up(id) and self.is_at(self.alive(id), LegPlace.DESK))
        agent = self.alive(id)
        await self.log_in()
        await self.platform.queue_unpause("1001")
        for _ in range(2):
            await self.world.customer.dial("801")
            await self.until(lambda: bool(self.legs_of(self.world.customer.number))
                             and self.are_together(self.leg(self.world.customer.number), agent))  # fmt: skip
            customer = self.leg(self.world.customer.number)
            await self.hears(self.world.customer, AGENT)
            await self.part(customer, agent)
            await self.world.customers[1].dial("801")  # is not offered to somebody who holds a customer
            await self.until(lambda: bool(self.legs_of(self.world.customers[1].number))
                             and self.is_at(self.leg(self.world.customers[1].number), LegPlace.QUEUE))  # fmt: skip
            waiting = self.leg(self.world.customers[1].number)
            await self.connect(customer, agent)
            self.assertTrue(self.is_at(waiting, LegPlace.QUEUE))
            await self.world.customer.hang_up()
            await self.gone(customer)
            await self.together(waiting, agent)
            await self.hears(self.world.agent, CUSTOMER)
            await self.world.customers[1].hang_up()
            await self.gone(waiting)
            await self.at(agent, LegPlace.DESK)
        await self.world.agent.hang_up()
        await self.gone(agent)
        await self.platform.queue_unpause("1001")  # behind all that was asked before: it was just told to be free
        states = await self.world.platform_1.witness.command("devstate list")
        self.assertIn("'Custom:1001'  State: 'UNAVAILABLE'", states)


class QueuesOn16(QueuesOn22):
    """Asterisk 16."""

    version = 16
