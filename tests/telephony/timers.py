"""The exchange's timers: ``python -m tests.telephony.timers SOCKET ...`` is twistd, and tells which ones it has."""

from __future__ import annotations

import socket
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.main import installReactor
from twisted.internet.protocol import DatagramProtocol

from .happenings import Happenings

Timers = Counter[str]
"""What waits for its time to come, by name, and how often."""
OF_A_CALL = ("ctiex.processing.", "ctiex.signalling.")
"""Whose timers belong to calls; all others are of links, connections and files."""


def of_calls(timers: Mapping[str, int]) -> dict[str, int]:
    """Those that belong to calls."""
    return {name: number for name, number in timers.items() if name.startswith(OF_A_CALL)}


# ---------------------------------------------------------------- in the exchange


class TellingReactor(EPollReactor):
    """Tells its delayed calls whenever they are others than before."""

    def __init__(self, told: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listener.connect(told)
        self._told = ""
        super().__init__()

    def runUntilCurrent(self) -> None:  # noqa: N802
        """One turn."""
        super().runUntilCurrent()
        names = "\n".join(sorted(name_of(one) for one in self.getDelayedCalls()))
        if names != self._told:
            self._told = names
            self._listener.send(names.encode() or b"\n")


def name_of(timer: IDelayedCall) -> str:
    """The function that a timer calls; of a LoopingCall the one that that calls."""
    function: Any = timer.func  # type: ignore[attr-defined]
    function = getattr(function, "f", function)
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"


# ---------------------------------------------------------------- in the tests


class Listener(DatagramProtocol):
    """Hears of every change of the timers."""

    def __init__(self, reactor: Any) -> None:
        self.happened: Happenings[Timers] = Happenings(reactor, "timers of the exchange")

    def datagramReceived(self, datagram: bytes, address: Any) -> None:  # noqa: N802
        self.happened.tell(Counter(datagram.decode().split()))


def main() -> None:
    """Run twistd under the reactor that tells."""
    _, told, *arguments = sys.argv
    installReactor(TellingReactor(told))
    from twisted.scripts.twistd import run

    sys.argv = ["twistd", *arguments]
    run()


if __name__ == "__main__":
    main()
