"""Load on an exchange that goes away again and again, from a process of its own; it writes down what it sees.

``python -m tests.kill_load AGENT_PORT SERVICE_PORT LEDGER SEED``. At SIGTERM it makes no new calls, and ends once all
of them have ended. The ledger has one JSON object on each line, written as it goes.
"""

from __future__ import annotations

import json
import signal
import sys
import zlib
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from ctiex.clients import AgentClient, AgentNumber, AutomaticService, ExchangeAccount, ServedCall
from ctiex.clients.link import ClientLink
from ctiex.errors import CallError, CtiexError
from ctiex.fields import Fields
from ctiex.messages import AgentEvent, Condition, Message
from ctiex.services.media import ScriptedMedia
from ctiex.services.outcome import Outcome

from .kill_account import reference_of

reactor: Any = _reactor
AGENTS = tuple(str(number) for number in range(1001, 1009))
SERVICES = {"quick": "8001", "steps": "8002", "idle": "8003", "deaf": "8004", "absent": "8005"}
"""Access codes. ``idle`` reports too late, ``deaf`` asks for no data, and nobody takes customers for ``absent``."""
_WEIGHTS = (60, 25, 5, 5, 5)
"""How many calls in a hundred go to each."""
_ENDS = (Condition.COMPLETED, Condition.COMPLETED, Condition.FAILED, Condition.ABANDONED)
SHORT_TIMES = (4, 2, 5)
"""Time-outs that come within a test."""
IN_FLIGHT = 300
"""Calls that go on at the same time."""
_CANCELLED = 0.05
"""The share of calls that their agent takes back."""
_END_WITHIN = 120.0
"""How long a call may take to end, in seconds: far beyond all of its time-outs."""
_TOO_LATE = 8.0


def configuration(
    directory: Path, agent_port: int, service_port: int, times: tuple[float, float, float] = SHORT_TIMES
) -> str:
    """An exchange for this load, with a durable store.

    :param times: how long signalling, the fetch and the service may take, in seconds.
    """
    signalling, fetch, service = times
    services = "\n".join(
        f'[services.{name}]\naccess_code = "{code}"\nsignalling_timeout = {signalling}\n'
        f"fetch_timeout = {fetch}\nservice_timeout = {service}"
        for name, code in SERVICES.items()
    )
    return f"""
[exchange]
id = "7"
address = "ctiex.test:7301"
[links.agent]
listen = "tcp:{agent_port}:interface=127.0.0.1"
[links.ivr]
listen = "tcp:{service_port}:interface=127.0.0.1"
[store]
kind = "sqlite"
path = "{directory / "calls.sqlite"}"
lock_wait = 120
[limits]
calls_per_agent = 1000
[identities.desk]
role = "agent"
secret = "desk-secret"
agents = ["*"]
[identities.ivr]
role = "service"
secret = "ivr-secret"
services = ["quick", "steps", "idle", "deaf"]
[identities.other-ivr]
role = "service"
secret = "ivr-secret"
services = ["quick", "absent"]
{services}
"""


class Ledger:
    """What the load has seen, a JSON object on each line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", buffering=1)

    def write(self, what: str, **facts: object) -> None:
        """Write one line; ``at`` is the time of the wall clock."""
        self._file.write(json.dumps({"what": what, "at": reactor.seconds(), **facts}) + "\n")


class WatchedClient(AgentClient):
    """Writes down every event that comes over the wire, repeats included."""

    def __init__(self, account: ExchangeAccount, ledger: Ledger) -> None:
        super().__init__(reactor, account)
        self._ledger = ledger

    def request_received(self, link: ClientLink, message: Message, invoke_id: int) -> None:
        """Write down what an event says before the client looks at it."""
        if isinstance(message, AgentEvent):
            told = message.time, message.serial, message.reference, message.condition, message.status
            self._ledger.write(
                "came", agent=message.agent, epoch=self.epoch_of(message.agent), sequence=message.sequence,
                content=zlib.crc32(f"{told} {sorted(message.fields.items())}".encode()),
            )  # fmt: skip
        super().request_received(link, message, invoke_id)

    def epoch_of(self, number: str) -> int:
        """Which numbering the events of an agent number belong to."""
        return self._agents[number].position.epoch


class WatchedService(AutomaticService):
    """Writes down what it reports, and what of it the exchange has acknowledged (0, 40 or 43)."""

    def __init__(self, account: ExchangeAccount, codes: tuple[str, ...], ledger: Ledger, random: Random) -> None:
        handlers = {SERVICES[name]: getattr(self, f"_{name}") for name in codes}
        super().__init__(reactor, account, handlers, lambda call: ScriptedMedia())
        self._ledger = ledger
        self._chance = random

    async def report(self, call: ServedCall, outcome: Outcome, timeout: float = 600.0) -> None:
        """Report, under a token that no other report has."""
        token = f"{self._chance.getrandbits(64):x}"
        facts = {"serial": call.serial, "condition": int(outcome.condition), "token": token}
        self._ledger.write("reporting", **facts)
        try:
            await super().report(call, Outcome(outcome.condition, Fields({"token": token})), timeout)
        except CallError as error:
            self._ledger.write("unreported", **facts, status=int(error.status))
            raise
        self._ledger.write("reported", **facts)

    async def _data(self, call: ServedCall) -> None:
        fields = await call.data()
        self._ledger.write("fetched", serial=call.serial, token=fields.text("token"), reference=call.reference)

    async def _quick(self, call: ServedCall) -> Outcome:
        await self._data(call)
        await pause(self._chance.uniform(0, 1.5))
        return Outcome(self._chance.choice(_ENDS))

    async def _steps(self, call: ServedCall) -> Outcome:
        await self._data(call)
        for _ in range(2):
            await call.progress()
            await pause(self._chance.uniform(0, 0.7))
        return Outcome(self._chance.choice(_ENDS))

    async def _idle(self, call: ServedCall) -> Outcome:
        await self._data(call)
        await pause(_TOO_LATE)
        return Outcome(Condition.COMPLETED)

    async def _deaf(self, call: ServedCall) -> Outcome:
        await pause(_TOO_LATE)
        return Outcome(Condition.COMPLETED)


def pause(seconds: float) -> Deferred[None]:
    """Fires after a while."""
    return deferLater(reactor, seconds)


class Load:
    """Agents who hand customers over, and the services that take them."""

    def __init__(self, agent_port: int, service_port: int, ledger: Ledger, seed: int) -> None:
        self._random = Random(seed)
        self._ledger = ledger
        self._first_serial = (seed % 1_000_000 + 1) * 1_000_000
        self._calls = 0
        self._leaving = False
        desk = self._account(agent_port, "desk", "desk-secret")
        ivr, other = (self._account(service_port, name, "ivr-secret") for name in ("ivr", "other-ivr"))
        self._clients = [WatchedClient(desk, ledger) for _ in range(2)]
        all_kinds = ("quick", "steps", "idle", "deaf")
        self._services = [
            WatchedService(account, kinds, ledger, Random(self._random.random()))
            for account, kinds in ((ivr, all_kinds), (ivr, all_kinds), (other, ("quick",)))
        ]
        self._agents: list[AgentNumber] = []

    def _account(self, port: int, identity: str, secret: str) -> ExchangeAccount:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port, timeout=1)
        chance = Random(self._random.random())
        return ExchangeAccount(endpoint, identity, secret, longest_retry=0.2, jitter=lambda: chance.uniform(0, 0.1))

    async def run(self) -> None:
        """Call after call, until it is told to leave; then wait for all that goes on."""
        for part in (*self._clients, *self._services):
            part.startService()
        for index, number in enumerate(AGENTS):
            client = self._clients[index % len(self._clients)]
            self._agents.append(await client.login(number, partial(self._taken, client), partial(self._gap, number)))
        await self._all(self._hand_over_and_over for _ in range(IN_FLIGHT))
        while any(service.calls for service in self._services):
            await pause(0.05)
        await self._all(part.stopService for part in (*self._services, *self._clients))
        self._ledger.write("end")

    async def _all(self, work: Any) -> None:
        started: list[Deferred[Any]] = [ensureDeferred(_awaited(each)) for each in work]
        for _, outcome in await DeferredList(started, fireOnOneErrback=True):
            assert not isinstance(outcome, Failure)

    def leave(self) -> None:
        """Make no new calls."""
        self._leaving = True

    async def _hand_over_and_over(self) -> None:
        while not self._leaving:
            self._calls += 1
            agent = self._random.choice(self._agents)
            try:
                await self._hand_over(agent, str(self._first_serial + self._calls))
            except CtiexError as error:
                self._ledger.write("trouble", agent=agent.number, error=f"{type(error).__name__}: {error}")
                await pause(0.1)

    async def _hand_over(self, agent: AgentNumber, serial: str) -> None:
        (service,) = self._random.choices(tuple(SERVICES), _WEIGHTS)
        token = f"{self._random.getrandbits(64):x}"
        self._ledger.write("asked", serial=serial, agent=agent.number, service=service, token=token)
        try:
            fields = Fields({"token": token})
            hand_off = await agent.connect(service, "13800138000", fields, serial, reference=reference_of(serial))
        except CallError as error:
            self._ledger.write("refused", serial=serial, status=int(error.status))
            raise
        self._ledger.write("kept", serial=serial)
        if self._random.random() < _CANCELLED:
            await pause(self._random.uniform(0, 0.5))
            await self._cancel(agent, serial)
        await hand_off.result(_END_WITHIN)

    async def _cancel(self, agent: AgentNumber, serial: str) -> None:
        try:
            await agent.cancel(serial)
        except CallError as error:  # it has ended already
            self._ledger.write("not cancelled", serial=serial, status=int(error.status))

    def _gap(self, agent: str, first: int, last: int) -> None:
        self._ledger.write("gap", agent=agent, first=first, last=last)

    def _taken(self, client: WatchedClient, event: AgentEvent) -> None:
        self._ledger.write(
            "event", agent=event.agent, epoch=client.epoch_of(event.agent), sequence=event.sequence,
            serial=event.serial, reference=event.reference, condition=int(event.condition), status=event.status,
            token=event.fields.get("token", ""),
        )  # fmt: skip


async def _awaited(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()


def main(agent_port: str, service_port: str, ledger: str, seed: str) -> None:
    """Run until SIGTERM, and until all calls have ended."""
    load = Load(int(agent_port), int(service_port), Ledger(Path(ledger)), int(seed))
    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(load.leave))

    def failed(failure: Failure) -> None:
        failure.printTraceback()

    def begin() -> None:
        ensureDeferred(load.run()).addErrback(failed).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
