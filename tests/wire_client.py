"""A client of the wire protocol, version 2, that shares no code with the exchange.

It is written from the published description alone and uses sockets and struct only, so that the exchange is measured
by the description and not by its own codec.
"""

from __future__ import annotations

import socket
import time

from .waiting import PATIENCE
from .wire_frames import (
    AGENT_ROLE,
    EXTENDED,
    HEADER,
    LISTS,
    SERVICE_ROLE,
    Amount,
    FieldList,
    Kind,
    Message,
    Moment,
    Value,
    all_fields,
    body,
    counted,
    extensions,
    frame,
    message,
    one_field,
    parse,
    parts,
    split,
)
from .wire_speaker import Ended, Silent, Speaker

__all__ = [
    "AGENT_ROLE",
    "EXTENDED",
    "HEADER",
    "LISTS",
    "SERVICE_ROLE",
    "Amount",
    "Ended",
    "FieldList",
    "Kind",
    "Message",
    "Moment",
    "Peer",
    "Silent",
    "Speaker",
    "Value",
    "all_fields",
    "body",
    "counted",
    "extensions",
    "frame",
    "message",
    "one_field",
    "parse",
    "parts",
    "split",
]


class Peer(Speaker):
    """A link over a blocking socket."""

    def __init__(self, port: int, byte_by_byte: bool = False, timeout: float = PATIENCE, codec: str = "binary") -> None:
        super().__init__(codec, timeout)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.byte_by_byte = byte_by_byte

    def send(self, *frames: bytes) -> None:
        """All frames in one segment, or every byte alone."""
        data = b"".join(frames)
        if not self.byte_by_byte:
            self.socket.sendall(data)
            return
        for number in data:
            self.socket.sendall(bytes([number]))
            time.sleep(0.0002)

    def more(self, deadline: float) -> bytes:
        """What comes next."""
        self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            return self.socket.recv(65536)
        except TimeoutError:
            raise Silent from None
        except ConnectionError:
            return b""
        finally:
            self.socket.settimeout(self.timeout)

    def close(self) -> None:
        """Close, and wait until the exchange has closed too."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
            self.socket.settimeout(1.0)
            while self.socket.recv(65536):
                pass
        except OSError:
            pass
        self.socket.close()
