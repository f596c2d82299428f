"""What a case of the test vectors is: bytes that come in somewhere, and what has to follow."""

from __future__ import annotations

import json
import struct
from typing import Any

from attrs import evolve, frozen

from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.errors import Status
from ctiex.interfaces import ICodec
from ctiex.messages import CALL_CONTROL_KINDS, DEFAULT_MAX_FRAME, KIND_OF, VERSION, Feature, Message, Role

ID = 5
"""The invoke id of a frame where nothing else is said."""
Answer = dict[str, Any]


@frozen
class Case:
    """Bytes that come in on a link, in some state of it, and what has to follow.

    ``answers`` are what goes back, without details; ``pending`` is the request of this side that waits under the
    invoke id 5, and ``ends_request`` whether it is over then.
    """

    name: str
    data: bytes
    answers: tuple[Answer, ...] = ()
    codec: str = "binary"
    side: str = "exchange"
    role: Role = Role.AGENT
    bound: bool = True
    ends_link: bool = False
    pending: type[Message] | None = None
    ends_request: bool = False
    max_frame: int = DEFAULT_MAX_FRAME
    features: str = ""
    """Those that the link has: words with spaces between."""

    def told(self) -> dict[str, Any]:
        """As the file has it."""
        told: dict[str, Any] = {"name": self.name, "codec": self.codec, "received_by": self.side}
        told |= {"link": self.role.name.lower(), "state": "bound" if self.bound else "before Bind"}
        if self.features:
            told["features"] = self.features
        if self.max_frame != DEFAULT_MAX_FRAME:
            told["max_frame"] = self.max_frame
        if self.pending is not None:
            told["pending"] = {"id": ID, "kind": self.pending.__name__, "ends": self.ends_request}
        return told | self._written() | {"answers": list(self.answers), "ends_link": self.ends_link}

    def _written(self) -> dict[str, str]:
        written = {"hex": self.data.hex()}
        if self.codec == "json":
            try:
                written["json"] = self.data.decode().removesuffix("\n")
            except UnicodeDecodeError:
                pass  # only its bytes can be shown
        return written


def features_for(kind: int) -> str:
    """What a link needs to have for this kind to be allowed on it."""
    return Feature.CALLS.value if kind in CALL_CONTROL_KINDS else ""


def error(status: Status, about: int = 0, invoke_id: int = ID) -> tuple[Answer]:
    """The Error that answers a frame."""
    return ({"kind": "Error", "id": invoke_id, "status": int(status), "about": about},)


def reply(kind: str, **attributes: Any) -> tuple[Answer]:
    """A reply under the id of its request."""
    return ({"kind": kind, "id": ID, **attributes},)


def raw(kind: int, body: str = "", *, invoke_id: int = ID, version: int = VERSION, flags: int = 0) -> bytes:
    """A binary frame with any body, in hexadecimal."""
    data = bytes.fromhex(body)
    return struct.pack(">IBBHI", 8 + len(data), version, kind, flags, invoke_id) + data


def line(kind: str, **attributes: Any) -> bytes:
    """A line of JSON with any attributes."""
    told = {"kind": kind, "id": ID, **attributes}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def whole(codec: ICodec, message: Message, invoke_id: int = ID) -> bytes:
    """A good frame."""
    return codec.frame(KIND_OF[type(message)], invoke_id, codec.encode_body(message))


def both(case: Case, message: Message, invoke_id: int = ID) -> tuple[Case, Case]:
    """A case of a good message, in both codecs."""
    return (
        evolve(case, data=whole(BinaryCodec(), message, invoke_id)),
        evolve(case, data=whole(JsonCodec(), message, invoke_id), codec="json"),
    )


def broken(case: Case, kind: type[Message]) -> tuple[Case, Case]:
    """A case of a malformed body of some kind, in both codecs: left-over bytes, and an unknown key."""
    body, unknown = raw(KIND_OF[kind], "ff" * 40), line(kind.__name__, unknown=1)
    return evolve(case, data=body), evolve(case, data=unknown, codec="json")
