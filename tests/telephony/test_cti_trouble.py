"""Whatever fails in the middle of whatever function: the customer is with somebody, and never in silence for long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from attrs import evolve

from ctiex.call_control.allowed import allowed, bits
from ctiex.call_messages import Action, CallChange
from ctiex.errors import Status

from .calls_world import AGENT, ANSWERS, MUSIC
from .cti_world import SETTINGS, CtiCase

LONGEST_SILENCE = 2.5
"""In seconds: the waits that are configured here are below."""
HELD_LONGEST = 2
MOMENTS = (0, 2, 5)
"""After how many words of the platform the trouble begins."""


@pytest.mark.telephony_cti
class TroubleOn22(CtiCase):
    """Asterisk 22."""

    settings = {"held_longest": HELD_LONGEST}
    call_settings = evolve(SETTINGS, left_alone=1.0, order_timeout=2.0, order_wait=1.0)

    # ------------------------------------------------------------ functions, each up to its order

    async def hold(self) -> tuple[str, dict[str, Any]]:
        return await self.talks(), {"action": Action.HOLD}

    async def retrieve(self) -> tuple[str, dict[str, Any]]:
        call = await self.talks()
        await self.desk.asks(Action.HOLD, "1001", call)
        await self.desk.hears(CallChange.HELD, call)
        return call, {"action": Action.RETRIEVE}

    async def consult(self) -> tuple[str, dict[str, Any]]:
        return await self.talks(), {"action": Action.CONSULT, "destination": "1002"}

    async def consulted(self, action: Action) -> tuple[str, dict[str, Any]]:
        call = await self.talks()
        await self.consults(call)
        return call, {"action": action}

    async def alternate(self) -> tuple[str, dict[str, Any]]:
        return await self.consulted(Action.ALTERNATE)

    async def reconnect(self) -> tuple[str, dict[str, Any]]:
        return await self.consulted(Action.RECONNECT)

    async def transfer(self) -> tuple[str, dict[str, Any]]:
        return await self.consulted(Action.TRANSFER)

    async def conference(self) -> tuple[str, dict[str, Any]]:
        return await self.consulted(Action.CONFERENCE)

    async def blind_transfer(self) -> tuple[str, dict[str, Any]]:
        return await self.talks(), {"action": Action.BLIND_TRANSFER, "destination": "1002"}

    async def add_party(self) -> tuple[str, dict[str, Any]]:
        return await self.talks(), {"action": Action.ADD_PARTY, "destination": ANSWERS}

    @property
    def functions(self) -> list[Callable[[], Awaitable[tuple[str, dict[str, Any]]]]]:
        return [
            self.hold, self.retrieve, self.consult, self.alternate, self.reconnect, self.transfer, self.conference,
            self.blind_transfer, self.add_party,
        ]  # fmt: skip

    # ------------------------------------------------------------ the trouble

    async def in_the_middle(self, trouble: Callable[[], Any]) -> None:
        """Each function, with trouble at each of the moments."""
        for function in self.functions:
            for moment in MOMENTS:
                await self.in_trouble(function, moment, trouble)

    async def in_trouble(self, function: Callable[[], Any], moment: int, trouble: Callable[[], Any]) -> None:
        """One function, with trouble at one moment."""
        call, words = await function()
        heard = len(self.told)
        await self.desk.begin(agent="1001", call=call, **words)
        if moment:
            await self.told.wait(lambda _: len(self.told) >= heard + moment, "the moment", heard, 3)
        await trouble()
        await self.ends_well(call, f"{function.__name__}, {moment}")

    async def ends_well(self, call: str, words: str) -> None:
        """The customer is with somebody, or hears music until they are; then they hang up, and nothing is left."""
        await self.until(lambda: self.platform.connected)
        await self.settled(lambda: self.platform.legs.leg(call) is not None)
        await self.hears_somebody(call, words)
        self.assertLess(self.world.longest_silence(self.world.customer), LONGEST_SILENCE, words)
        await self.world.customer.hang_up()
        await self.all_hang_up()
        await self.world.empty()
        await self.settled(lambda: len(self.control) == 0)

    async def all_hang_up(self) -> None:
        """Whoever is in a call: a party from outside may just have been given to another agent."""
        for _ in range(600):
            for phone in self.world.agents:
                if phone.in_call:
                    await phone.hang_up()
            if not any(True for _ in self.platform.legs.all()):
                return
            await self.pause()

    def on_hold(self, id: str) -> bool:
        """Whether the customer is on hold, as was ordered, and the agent may go on with them."""
        call = self.control.calls.get(id)
        party = None if call is None else call.party_of("1001")
        return call is not None and party is not None and bool(allowed(call, party, None) & bits([Action.RETRIEVE]))

    async def hears_somebody(self, call: str, words: str) -> None:
        for _ in range(200):
            if self.world.tap.hears(self.world.customer.host) not in ("silence", MUSIC):
                return
            if self.on_hold(call):
                await self.desk.begin(Action.RETRIEVE, "1001", call)  # the dialplan may be before them
            await self.pause()
        heard = self.world.tap.hears(self.world.customer.host)
        raise AssertionError(f"{words}: the customer hears {heard}, {self.control.calls.get(call)}")

    async def cut(self) -> None:
        """The manager's connection is lost; the driver connects again by itself."""
        assert self.platform._client._link is not None
        self.platform._client._link.transport.abortConnection()

    async def kill(self) -> None:
        """The exchange is gone from one moment to the next, and another one is started."""
        await self.vanish()
        await self.pause(0.3)
        self.begin_again()

    async def vanish(self) -> None:
        await self.cut()
        await self.end_exchange(self.exchange, self.driver)

    def begin_again(self) -> None:
        self.world.platform = self.world.make_platform(**self.settings)
        self.begin_exchange(self.world)

    async def test_the_managers_connection_is_cut(self) -> None:
        await self.in_the_middle(self.cut)

    async def test_the_exchange_is_killed_and_started_again(self) -> None:
        await self.in_the_middle(self.kill)

    async def test_the_dialplan_brings_a_held_customer_back_when_the_exchange_is_gone(self) -> None:
        call = await self.talks()
        await self.desk.asks(Action.HOLD, "1001", call)
        await self.desk.hears(CallChange.HELD, call)
        await self.hears(self.world.customer, MUSIC)
        await self.vanish()
        await self.hears(self.world.customer, AGENT)
        self.assertLess(self.world.longest_silence(self.world.customer), LONGEST_SILENCE)
        self.begin_again()
        await self.until(lambda: self.platform.connected)
        await self.settled(lambda: any(page.call == call for page in self.desk.snapshots()) or bool(self.desk.told))
        await self.world.customer.hang_up()
        await self.world.empty()

    async def test_an_agents_telephone_vanishes_while_the_customer_is_held(self) -> None:
        call = await self.talks()
        await self.desk.asks(Action.HOLD, "1001", call)
        await self.desk.hears(CallChange.HELD, call)
        await self.world.agent.kill()
        [leg] = self.platform.legs.of_agent("1001")
        await self.platform.hang_up(leg, 27)  # as Asterisk does behind rtp_timeout, or a session timer
        await self.hears(self.world.customer, AGENT)  # that of the fallback
        self.assertLess(self.world.longest_silence(self.world.customer), LONGEST_SILENCE)
        await self.world.customer.hang_up()
        await self.world.empty()
        await self.settled(lambda: len(self.control) == 0)

    async def test_two_orders_at_once_from_two_desks(self) -> None:
        call = await self.talks()
        for _ in range(5):
            since = len(self.desk.told)
            replies = [self.desk.begin(Action.HOLD, "1001", call), self.desk.begin(Action.HOLD, "1001", call)]
            statuses = sorted([(await reply).status for reply in replies])
            self.assertEqual(statuses[0], Status.OK)
            self.assertIn(statuses[1], (Status.WRONG_STATE, Status.CALL_BUSY))
            await self.desk.hears(CallChange.HELD, call, since)
            await self.desk.asks(Action.RETRIEVE, "1001", call)
            await self.desk.hears(CallChange.RETRIEVED, call, since)
        await self.hears(self.world.customer, AGENT)
        await self.world.customer.hang_up()
        await self.rests()

    async def test_the_platform_is_started_again(self) -> None:
        call = await self.talks()
        await self.desk.asks(Action.HOLD, "1001", call)
        await self.desk.hears(CallChange.HELD, call)
        await self.world.platform_1.kill()
        await self.settled(lambda: not self.platform.connected)
        await self.world.platform_1.start()
        await self.until(lambda: self.platform.connected)
        await self.desk.hears(CallChange.CLEARED, call)
        await self.settled(lambda: len(self.control) == 0)
        for phone in (self.world.customer, *self.world.agents):
            if phone.in_call:
                await phone.hang_up()
        again = await self.talks()
        await self.desk.asks(Action.HOLD, "1001", again)
        await self.hears(self.world.customer, MUSIC)
        await self.world.customer.hang_up()
        await self.rests()


@pytest.mark.telephony_cti
class TroubleOn16(TroubleOn22):
    """Asterisk 16."""

    version = 16
