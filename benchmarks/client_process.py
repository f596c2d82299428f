"""Clients that are measured: each keeps a number of requests in flight, on one link, from one Twisted process.

Run as ``python -m benchmarks.client_process KIND PORT CALLS IN-FLIGHT``; takes orders as ``load.c`` does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineReceiver

from benchmarks.configurations import SECRET, SERVICE_IDENTITY
from benchmarks.work import EXCHANGE_ADDRESS, fields_of, serial_of
from ctiex.clients.account import ExchangeAccount
from ctiex.clients.automatic_service import AutomaticService
from ctiex.clients.served_call import ServedCall
from ctiex.messages import Connection, DataRequest

reactor: Any = global_reactor
Ask = Callable[[str], Awaitable[Mapping[str, Any]]]
"""Gives the twelve fields of a serial."""
_FIELDS = len(fields_of(serial_of(0)))


# ---------------------------------------------------------------- the clients


async def _service(port: int) -> AutomaticService:
    account = ExchangeAccount(clientFromString(reactor, f"tcp:127.0.0.1:{port}"), SERVICE_IDENTITY, SECRET)
    service = AutomaticService(reactor, account, {}, lambda call: _nobody_calls())
    service.startService()
    await service.bound()
    return service


def _nobody_calls() -> Any:
    raise AssertionError("this service has no access code")


async def served_call(port: int) -> Ask:
    """What a service's author writes: ``await call.data()``, with its time-out and its way over lost links."""
    service = await _service(port)
    connection = Connection("7001", "", EXCHANGE_ADDRESS)

    async def ask(serial: str) -> Mapping[str, Any]:
        return await ServedCall(service, connection, "13800138000", serial).data()

    return ask


async def link(port: int) -> Ask:
    """A request on the bound link of the client, with its time-out, and nothing above."""
    bound = await (await _service(port)).bound()

    async def ask(serial: str) -> Mapping[str, Any]:
        result: Any = await bound.ask(DataRequest(serial, EXCHANGE_ADDRESS))
        return result.fields  # type: ignore[no-any-return]

    return ask


async def txredisapi(port: int) -> Ask:
    """``HGETALL`` by txredisapi as it comes, with its parser in Python."""
    sys.modules["hiredis"] = None  # type: ignore[assignment] # as if it weren't installed
    return await txredisapi_hiredis(port)


async def txredisapi_hiredis(port: int) -> Ask:
    """``HGETALL`` by txredisapi with the parser of hiredis, in C."""
    import txredisapi

    redis = await txredisapi.Connection("127.0.0.1", port, reconnect=False)

    async def ask(serial: str) -> Mapping[str, Any]:
        return await redis.hgetall(f"call:{serial}")  # type: ignore[no-any-return]

    return ask


CLIENTS = {"served-call": served_call, "link": link, "txredisapi": txredisapi, "txredisapi-hiredis": txredisapi_hiredis}


# ---------------------------------------------------------------- orders


class Orders(LineReceiver):
    """Fires when it is told to."""

    delimiter = b"\n"

    def __init__(self, ask: Ask, calls: int, in_flight: int) -> None:
        self._ask = ask
        self._serials = [serial_of(number) for number in range(calls)]
        self._in_flight = in_flight
        self._numbers = count()
        self._answers = 0
        self._ends = 0.0

    def connectionMade(self) -> None:
        """Say that it is ready."""
        self._say({"ready": 1})

    def lineReceived(self, line: bytes) -> None:
        """``run SECONDS RATE`` or ``quit``."""
        word, *words = line.split()
        if word == b"quit":
            reactor.stop()
        else:
            ensureDeferred(self._run(float(words[0]))).addErrback(lambda failure: self._say({"error": repr(failure)}))

    async def _run(self, seconds: float) -> None:
        started = reactor.seconds()
        self._ends, self._answers = started + seconds, 0
        await DeferredList([ensureDeferred(self._keep_asking()) for _ in range(self._in_flight)], fireOnOneErrback=True)
        self._say({"answers": self._answers, "seconds": reactor.seconds() - started, "latency": []})

    async def _keep_asking(self) -> None:
        while reactor.seconds() < self._ends:
            serial = self._serials[next(self._numbers) % len(self._serials)]
            fields = await self._ask(serial)
            if len(fields) != _FIELDS or not serial.endswith(str(fields["account"])):
                raise ValueError(f"these are not the fields of {serial}: {fields!r}")
            self._answers += 1

    def _say(self, said: dict[str, Any]) -> None:
        self.sendLine(json.dumps(said).encode())

    def connectionLost(self, reason: object = None) -> None:
        """Nobody gives orders any more."""
        if reactor.running:
            reactor.stop()


async def main(kind: str, port: int, calls: int, in_flight: int) -> None:
    """Connect, and take orders."""
    StandardIO(Orders(await CLIENTS[kind](port), calls, in_flight), reactor=reactor)


def failed(failure: Any) -> None:
    """Say why, and end."""
    print(json.dumps({"error": failure.getErrorMessage()}), flush=True)
    reactor.stop()


if __name__ == "__main__":
    kind, *numbers = sys.argv[1:]
    port, calls, in_flight = map(int, numbers)
    reactor.callWhenRunning(lambda: ensureDeferred(main(kind, port, calls, in_flight)).addErrback(failed))
    reactor.run()
