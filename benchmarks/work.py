"""The work that every server does here: look up a serial among those stored, and answer twelve fields.

Each protocol's requests and the signs of a right answer stand here, side by side, so that it is plain that
the servers do the same.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen
from twisted.protocols import amp

from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.messages import KIND_OF, Bind, DataRequest, DataResult, Message, Role

EXCHANGE_ADDRESS = "x:7301"
"""Advertised by the exchange that is measured; with it a DataRequest has 40 bytes."""
AGENT = "10001"
_CODEC = BinaryCodec()
_HEADER = len(_CODEC.frame(0, 0, b""))
_ACCOUNT = 10
"""Digits of a serial that stand in the account field too."""


@frozen
class Dialogue:
    """What is sent on each connection, and how a right answer is known. Offsets below 0 count from an answer's end."""

    requests: tuple[bytes, ...]
    framing: str
    """Where an answer ends: ``fixed SIZE``, ``length32``, ``http``, ``resp`` or ``line``."""
    size: int = 0
    """What each answer has, in bytes; 0: any."""
    expect: tuple[tuple[int, bytes], ...] = ()
    """Bytes that every answer has at an offset."""
    match: tuple[tuple[int, int, int], ...] = ()
    """(offset in the answer, offset in its request, how many bytes): these have to be the same."""
    counter: int | None = None
    """Where each request gets a number of 8 bytes that no other has."""
    heartbeat: bool = False
    """Whether the other side is an exchange, whose Pings want an answer."""
    prologue: bytes = b""
    """Sent once on each connection before the requests."""
    prologue_answers: int = 0
    prologue_expect: tuple[int, bytes] | None = None


def serial_of(number: int) -> str:
    """The serial of a stored call."""
    return f"{number:020d}"


def fields_of(serial: str) -> dict[str, Any]:
    """The twelve fields that are stored under a serial: what an agent's application would send along."""
    return {
        "account": serial[-_ACCOUNT:],
        "customer_name": "Zhang Wei",
        "language": "en",
        "area": "010",
        "prompt_tone": "standard-welcome",
        "vip_level": 3,
        "callback": True,
        "product": "mobile-postpaid-199",
        "bill_month": "2026-10",
        "bill_amount": "188.50",
        "queue": "billing-questions",
        "conversation": "c0ffee00-1234-5678-9abc-def012345678",
    }


def fields_as_text(serial: str) -> dict[str, str]:
    """The same for servers that know text alone."""
    return {name: str(value).lower() if value is True else str(value) for name, value in fields_of(serial).items()}


def frame_of(message: Message, invoke_id: int) -> bytes:
    """A whole frame of the exchange's binary codec."""
    return _CODEC.frame(KIND_OF[type(message)], invoke_id, _CODEC.encode_body(message))


def result_of(serial: str) -> bytes:
    """The frame that answers a DataRequest."""
    return frame_of(DataResult(Status.OK, serial, AGENT, fields=Fields(fields_of(serial))), 1)


REQUEST_SIZE = len(frame_of(DataRequest(serial_of(1), EXCHANGE_ADDRESS), 1))
ANSWER_SIZE = len(result_of(serial_of(1)))


# ---------------------------------------------------------------- the dialogues, by protocol


def bound(dialogue: Dialogue, role: Role, identity: str, secret: str) -> Dialogue:
    """The same on links that are bound first."""
    status = _HEADER, bytes(2)
    bind = frame_of(Bind(role, identity, secret), 1)
    return evolve(dialogue, prologue=bind, prologue_answers=1, prologue_expect=status, heartbeat=True)


def data_requests(serials: list[str]) -> Dialogue:
    """DataRequests to an exchange; each DataResult has to be its own, with status 0 and that call's account."""
    requests = tuple(frame_of(DataRequest(serial, EXCHANGE_ADDRESS), i) for i, serial in enumerate(serials, 1))
    at_account = result_of(serials[0]).index(b"account") + len(b"account") + 3
    at_serial = _HEADER + 1
    return Dialogue(
        requests,
        "length32",
        ANSWER_SIZE,
        ((5, bytes([KIND_OF[DataResult]])), (_HEADER, bytes(2))),
        (
            (8, 8, 4),  # the invoke id
            (_HEADER + 3, at_serial, len(serials[0])),
            (at_account, at_serial + len(serials[0]) - _ACCOUNT, _ACCOUNT),
        ),
    )


def echo() -> Dialogue:
    """As many bytes as a DataRequest has, for as many as its DataResult has."""
    return Dialogue((b"q" * REQUEST_SIZE,), f"fixed {ANSWER_SIZE}", ANSWER_SIZE, ((0, b"x"), (-1, b"x")))


def http(serials: list[str]) -> Dialogue:
    """``GET /calls/SERIAL``, answered with JSON that ends with the serial."""
    head = "GET /calls/"
    requests = tuple(f"{head}{serial} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for serial in serials)
    size = len(serials[0])
    return Dialogue(requests, "http", expect=((9, b"200"), (-2, b'"}')), match=((-2 - size, len(head), size),))


def json_answer(serial: str) -> dict[str, Any]:
    """What a server with JSON answers."""
    return {"status": 0, "agent": AGENT, "fields": fields_of(serial), "serial": serial}


def redis(serials: list[str]) -> Dialogue:
    """``HGETALL call:SERIAL``."""
    head = "*2\r\n$7\r\nHGETALL\r\n$25\r\ncall:"
    requests = tuple(f"{head}{serial}\r\n".encode() for serial in serials)
    answer = redis_answer(serials[0])
    at = answer.index(b"account") + len("account\r\n$10\r\n")
    own = len(head) + len(serials[0]) - _ACCOUNT
    return Dialogue(requests, "resp", len(answer), ((0, b"*24\r\n"),), ((at, own, _ACCOUNT),))


def redis_answer(serial: str) -> bytes:
    """What redis answers: names and values in turn."""
    words = [word for pair in fields_as_text(serial).items() for word in pair]
    return f"*{len(words)}\r\n".encode() + b"".join(f"${len(word)}\r\n{word}\r\n".encode() for word in words)


class GetCall(amp.Command):
    """The same by Twisted AMP, with typed arguments."""

    arguments = [(b"serial", amp.Unicode())]
    response = [
        (b"status", amp.Integer()),
        (b"agent", amp.Unicode()),
        *(
            (name.encode(), amp.Boolean() if value is True else amp.Integer() if type(value) is int else amp.Unicode())
            for name, value in fields_of(serial_of(1)).items()
        ),
    ]


def amp_calls(serials: list[str]) -> Dialogue:
    """``GetCall`` boxes; every answer has the same size, as every tag and serial has."""
    boxes = []
    for number, serial in enumerate(serials):
        box = amp.Box({b"_command": b"GetCall", b"_ask": b"%06x" % number, b"serial": serial.encode()})
        boxes.append(box.serialize())
    answered = GetCall.makeResponse({"status": 0, "agent": AGENT, **fields_of(serials[0])}, None)
    answered[b"_answer"] = b"%06x" % 0
    answer = answered.serialize()
    at = answer.index(b"account") + len("account") + 2
    own = boxes[0].index(serials[0].encode()) + len(serials[0]) - _ACCOUNT
    tag = answer.index(b"_answer") + len("_answer") + 2, boxes[0].index(b"_ask") + len("_ask") + 2, 6
    return Dialogue(tuple(boxes), f"fixed {len(answer)}", len(answer), ((0, answer[:9]),), (tag, (at, own, _ACCOUNT)))
