"""An automatic service of one's own, in one coroutine: a customer books the time to be called back.

twistd -n ctiex --config docs/examples/own_service.toml
python docs/examples/own_service.py          you are the customer, at the terminal
python docs/examples/own_service.py 0930     a customer out of a script, who types 0930
python docs/examples/hand_over.py callback-booking 13800138000 opens=900 closes=1700

The environment may name another exchange: EXCHANGE=tcp:127.0.0.1:7301
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.task import react

from ctiex import AutomaticService, Condition, ExchangeAccount, Fields, Outcome, ServedCall
from ctiex.clients.terminal import open_terminal
from ctiex.interfaces import IMedia
from ctiex.services.media import ScriptedMedia, TerminalMedia

TRIES = 3


async def callback_booking(call: ServedCall) -> Outcome:
    """Ask for a time of four digits between the hours that the agent named."""
    hours = await call.data()
    opens, closes = hours.integer("opens", 0), hours.integer("closes", 2359)
    for attempt in range(1, TRIES + 1):
        typed = await call.media.collect_digits("when-to-call-back", count=4, timeout=5)
        if is_time(typed) and opens <= int(typed) <= closes:
            await call.media.play("we-call-you-back-at")
            await call.media.say_digits(typed)
            return Outcome(Condition.COMPLETED, Fields({"tries": attempt, "time": f"{typed[:2]}:{typed[2:]}"}))
        await call.progress(Fields({"refused": typed}))
        await call.media.play("not-in-our-hours")
    return Outcome(Condition.FAILED, Fields({"tries": TRIES, "reason": "no time was chosen"}))


def is_time(digits: str) -> bool:
    """Whether these are hours and minutes: ``0000`` to ``2359``."""
    return len(digits) == 4 and digits.isdecimal() and digits[:2] < "24" and digits[2:] < "60"


async def run(reactor: Any, *typed: str) -> None:
    """Serve until the process is told to stop."""

    def make_media(call: ServedCall) -> IMedia:
        if typed:
            return ScriptedMedia(typed)
        terminal = open_terminal(reactor)
        return TerminalMedia(terminal.read_line, terminal.write, reactor)

    endpoint = clientFromString(reactor, os.environ.get("EXCHANGE", "tcp:127.0.0.1:7301"))
    account = ExchangeAccount(endpoint, "bookings", "bookings-secret")
    service = AutomaticService(reactor, account, {"7100": callback_booking}, make_media)
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    await service.bound()
    print("waiting for customers", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(run, sys.argv[1:])
