"""What is held for an idle link, a stored context of twelve fields, and a parsed message."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from benchmarks import work
from benchmarks.configurations import SECRET, SERVICE_IDENTITY, configuration
from benchmarks.contenders import CONTENDERS, ECHO
from benchmarks.exchange_process import WatchedExchange
from benchmarks.filling import fill
from benchmarks.generator import Generator
from benchmarks.machine import server_core
from benchmarks.server_process import ServerProcess
from benchmarks.settings import Settings
from benchmarks.work import Dialogue
from ctiex.codecs.binary import BinaryCodec
from ctiex.errors import Status
from ctiex.fields import Fields
from ctiex.interfaces import Frame
from ctiex.messages import KIND_OF, ConnectRequest, DataRequest, DataResult, Message, Role
from ctiex.records import Call, CallState, Change
from ctiex.stores.call_store import CallStore

_CODEC = BinaryCodec()
_BASE = 1_000
"""Links or calls that are there before counting begins: what is made once for all is made then."""


def measure(settings: Settings) -> dict[str, Any]:
    """Bytes for each."""
    figures = {
        "link": _links(settings, settings.pick(4_000, 400)),
        "context": _contexts(settings, settings.pick(20_000, 1_000), settings.pick(200_000, 5_000)),
        "message": _messages(settings.pick(10_000, 1_000)),
    }
    for what, of in figures.items():
        print(f"  {what}: " + ", ".join(f"{name} {size} bytes" for name, size in of.items()), flush=True)
    return figures


# ---------------------------------------------------------------- in another process


def _traced_exchange(settings: Settings, name: str, traced: bool) -> WatchedExchange:
    variables = {"PYTHONTRACEMALLOC": "1"} if traced else {}
    return WatchedExchange(settings.directory / "memory" / name, configuration(), server_core(), variables)


def _held(exchange: WatchedExchange, traced: bool) -> int:
    """What it holds once its garbage is collected."""
    bytes_traced = exchange.report()["traced_bytes"]
    return int(bytes_traced) if traced else exchange.resident_bytes()


def _difference(held: Callable[[], int], more: Callable[[int], object], base: int, count: int) -> int:
    """What each of ``count`` more takes, in bytes."""
    more(base)
    before = held()
    more(count)
    return round((held() - before) / count)


def _links(settings: Settings, count: int) -> dict[str, int]:
    """An idle bound link of the exchange, and for comparison an idle connection of the bare echo."""
    bound = work.bound(Dialogue((), "length32"), Role.SERVICE, SERVICE_IDENTITY, SECRET)
    figures = {}
    for name, traced in (("traced", True), ("resident", False)):
        with ExitStack() as stack:
            exchange = _traced_exchange(settings, f"link-{name}", traced)
            stack.callback(exchange.stop)
            more = _opening(stack, bound, exchange.service_port)
            figures[name] = _difference(lambda: _held(exchange, traced), more, _BASE, count)  # noqa: B023
    with ExitStack() as stack:
        echo = CONTENDERS[ECHO][1](ECHO, settings.directory / "memory" / "echo")
        stack.callback(echo.server.stop)
        more = _opening(stack, echo.dialogue, echo.port)
        figures["bare Twisted connection, resident"] = _resident_difference(echo.server, more, count)
    return figures


def _resident_difference(server: ServerProcess, more: Callable[[int], object], count: int) -> int:
    return _difference(server.resident_bytes, more, _BASE, count)


def _opening(stack: ExitStack, dialogue: Dialogue, port: int) -> Callable[[int], None]:
    def more(count: int) -> None:
        stack.callback(Generator(dialogue, port, count).close)

    return more


def _contexts(settings: Settings, count: int, many: int) -> dict[str, int]:
    """A call in the whole exchange, with its timers, indexes and counts; and in the store alone."""
    figures = {"the store alone, traced": _store_alone(count)}
    for name, traced, so_many in (("traced", True, count), ("resident", False, many)):
        exchange = _traced_exchange(settings, f"context-{name}", traced)
        first = iter((0, _BASE))
        try:
            figures[f"the whole exchange, {name}"] = _difference(
                lambda: _held(exchange, traced),  # noqa: B023
                lambda number: fill(exchange, next(first), number),  # noqa: B023
                _BASE,
                so_many,
            )
        finally:
            exchange.stop()
    figures["its encoded DataResult"] = work.ANSWER_SIZE - _CODEC.frame_length(b"") - 4
    return figures


# ---------------------------------------------------------------- in this process


def _traced(count: int, make: Callable[[int], object]) -> int:
    """What each of so many objects takes, in bytes."""
    kept: list[object] = [None] * count
    make(0)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(count):
            kept[number] = make(number)
        return round((tracemalloc.get_traced_memory()[0] - before) / count)
    finally:
        tracemalloc.stop()


def _store_alone(count: int) -> int:
    store = CallStore()
    told = frozenset({10, 11})

    def put(number: int) -> None:
        serial = work.serial_of(number)
        data = work.result_of(serial)[_CODEC.frame_length(b"") + 4 :]
        call = Call(
            serial, work.AGENT, "number-broadcast", "agent-demo", f"{13800000000 + number}", number.to_bytes(16),
            data, CallState.CONNECTED, 1e9 + number, owner="service-demo", told=told,
        )  # fmt: skip
        store.commit(Change(calls=(call,)))

    return _traced(count, put)


def _messages(count: int) -> dict[str, int]:
    """Messages as the codec gives them, each from bytes of its own."""

    def parsed(message: Message) -> int:
        kind, body = KIND_OF[type(message)], _CODEC.encode_body(message)
        return _traced(count, lambda number: _CODEC.decode_body(Frame(kind, number, bytes(bytearray(body)))))

    serial = work.serial_of(7)
    fields = Fields(work.fields_of(serial))
    return {
        "DataRequest": parsed(DataRequest(serial, work.EXCHANGE_ADDRESS)),
        "DataResult of 12 fields": parsed(DataResult(Status.OK, serial, work.AGENT, fields=fields)),
        "ConnectRequest of 12 fields": parsed(
            ConnectRequest(serial, work.AGENT, "number-broadcast", "13800138000", fields=fields)
        ),
    }
