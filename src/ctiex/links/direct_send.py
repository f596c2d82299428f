"""Writing at once: a reply goes to the kernel in the turn in which it was asked for.

``transport.write`` keeps what it is given until the reactor has asked the kernel whether it takes it: two
more system calls and another turn for each reply. Where nothing waits on a plain TCP transport its socket
may be asked first; whatever that doesn't take is written the usual way, and so is everything on any other
transport: TLS, a UNIX socket, one in memory, one that is closing.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import ITransport

_TOLD = ("socket", "dataBuffer", "_tempDataLen", "disconnecting")
"""What a TCP transport of Twisted tells of itself; one that doesn't tell all of it writes the usual way."""


def sends_at_once(transport: ITransport | None) -> bool:
    """Whether :func:`send` may be asked to send on this transport, which was just made."""
    # By type, not by isinstance: a wrapper or subclass may handle writes in its own way.
    plain = type(transport) in (tcp.Server, tcp.Client) and not getattr(transport, "TLS", True)
    return plain and all(hasattr(transport, name) for name in _TOLD)


def send(transport: Any, output: bytes) -> None:
    """Write to a connection that is open: the kernel permitting now, and behind whatever waits to be written."""
    if not transport._tempDataLen and not transport.dataBuffer and not transport.disconnecting:
        try:
            sent = transport.socket.send(output)
        except OSError:  # it takes nothing now; or the connection is lost, which the reactor finds out by itself
            sent = 0
        if sent == len(output):
            return
        output = output[sent:]
    transport.write(output)
