"""``make telephone-demo``: FIG. 4 with real telephones, and the ladder of what each party sent."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import react

from ctiex.messages import Condition

from .hand_over import PASSWORD, HandOverWorld
from .ladder import Ladder
from .scenes import THE_PASSWORD, Desk
from .world import AGENT_TONE


async def play(reactor: Any, version: int = 22) -> None:
    """One hand-off, from the customer's call to the end of the talk."""
    world = HandOverWorld(reactor, version)
    try:
        await world.start()
        ladder = Ladder(world.tap, world.addresses, {"account", "note"}, lambda line: print(line, flush=True))
        await _steps(world, ladder, reactor)
    finally:
        await world.stop()


async def _steps(world: HandOverWorld, ladder: Ladder, reactor: Any) -> None:
    desk = Desk(world, 0)
    try:
        await desk.log_in()
        ladder.note(f"1  the customer calls {world.agent.number}, and talks with agent A")
        await world.customer.dial(world.agent.number)
        await world.hears(world.customer, f"{AGENT_TONE} Hz")
        desk.serial = await desk.told_of(world.customer)
        ladder.note(
            "2  agent A's application asks for password authentication; 3  the customer is forwarded,\n"
            "4  the service asks for the data by the serial in the calling number, and 5  has them"
        )
        mark = len(world.tap.sounds)
        hand_off = await desk.hand_over(PASSWORD, world.customer)
        await world.hears(world.customer, "voice", mark)
        ladder.note("6  the customer types the password; 7  the service reports, 8  the exchange tells the agent")
        mark = len(world.tap.sounds)
        await world.customer.type(f"{THE_PASSWORD}#")
        final = await hand_off.result(30)
        await world.hears(world.customer, f"{AGENT_TONE} Hz", mark)
        ladder.note(f"the customer is back with agent A, whose application has: {final.fields.describe()}")
        await world.customer.hang_up()
        await world.no_leftovers()
        ladder.note("nothing is left: no channel, no bridge, no call")
        print(f"telephone demo: {final.condition.text}")
        if final.condition is not Condition.COMPLETED:
            sys.exit(1)
    finally:
        await desk.leave()


def main(reactor: Any) -> Deferred[None]:
    """Play it under a reactor."""
    return ensureDeferred(play(reactor))


if __name__ == "__main__":
    react(main)
