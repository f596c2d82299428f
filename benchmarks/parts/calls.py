"""What the other messages cost the exchange: asking for a call, reporting on it, a whole hand-off."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from benchmarks import work
from benchmarks.configurations import SECRET, SERVICE_IDENTITY, configuration
from benchmarks.contenders import service_dialogue
from benchmarks.exchange_process import ExchangeProcess
from benchmarks.filling import AGENTS, LINKS, fill
from benchmarks.generator import Generator, OrderedProcess, Shot
from benchmarks.hand_offs import HandOffs
from benchmarks.load import Load
from benchmarks.machine import load_cores, server_core
from benchmarks.server_process import python
from benchmarks.settings import Settings
from benchmarks.shots import Sample, Target, ratio, rounds, summary
from benchmarks.work import Dialogue
from ctiex.fields import Fields
from ctiex.messages import KIND_OF, Condition, Role, ServiceEvent, ServiceEventReply

STORES = ("memory", "sqlite")
_IN_FLIGHT = 100
_EVENT_LINKS = 50
_PROGRESS = Fields({"step": "menu", "choice": 2})


def measure(settings: Settings) -> dict[str, Any]:
    """All three, each with the processor's time of the exchange."""
    return {
        "connect": _by_store(settings, "connect", _Connects),
        "event": _events(settings),
        "hand_off": _by_store(settings, "hand-off", _hand_offs),
    }


# ---------------------------------------------------------------- through either store


class _Connects:
    """ConnectRequests, each through to the service that accepts, and to the agent who is told so."""

    def __init__(self, exchange: ExchangeProcess) -> None:
        self._load = Load(exchange.agent_port, exchange.service_port, LINKS, AGENTS, _IN_FLIGHT)
        self._at_once = 2_000
        self.close = self._load.close

    def run(self, seconds: float, rate: float = 0) -> Shot:
        """So many at a time, until the time is up."""
        requests = self._load.requests(self._at_once, Fields(work.fields_of(work.serial_of(0))))
        started, answers = time.monotonic(), 0
        while time.monotonic() < started + seconds:
            self._load.run(requests)
            answers += self._at_once
        return Shot(answers, time.monotonic() - started, [])


def _hand_offs(exchange: ExchangeProcess) -> HandOffs:
    return HandOffs(exchange.agent_port, exchange.service_port, LINKS, AGENTS, _IN_FLIGHT)


def _by_store(settings: Settings, name: str, load: Any) -> dict[str, Any]:
    with ExitStack() as stack:
        targets = {}
        for store in STORES:
            directory = settings.directory / name / store
            exchange = ExchangeProcess(directory, configuration(store), server_core())
            stack.callback(exchange.stop)
            gun = load(exchange)
            stack.callback(gun.close)
            targets[store] = Target(gun, exchange.processor_seconds)
        samples = rounds(targets, settings.effort, settings.random)
    entries: dict[str, Any] = {store: _entry(f"{name} {store}", samples[store]) for store in STORES}
    return {"stores": entries, "sqlite_to_memory": ratio(samples["sqlite"], samples["memory"])}


def _entry(name: str, samples: list[Sample]) -> dict[str, Any]:
    entry = summary(samples)
    entry["per_core_second"] = round(1e6 / entry["us"])
    print(
        f"  {name}: {entry['us']} us, {entry['per_core_second']:,} on one core, {entry['per_second']:,}/s", flush=True
    )
    return entry


# ---------------------------------------------------------------- a ServiceEvent through to its agent


def service_events(serials: list[str]) -> Dialogue:
    """Progress reports, each under an event_id of its own; kept, with the agent there, is 0."""
    head = len(work.frame_of(ServiceEventReply(0, 0), 1)) - 10
    events = tuple(
        work.frame_of(ServiceEvent(0, serial, "", Condition.PROGRESS, _PROGRESS), number)
        for number, serial in enumerate(serials, 1)
    )
    dialogue = Dialogue(
        events,
        "length32",
        head + 10,
        ((5, bytes([KIND_OF[ServiceEventReply]])), (head + 8, bytes(2))),
        ((8, 8, 4),),
        counter=head,
    )
    return work.bound(dialogue, Role.SERVICE, SERVICE_IDENTITY, SECRET)


def _events(settings: Settings) -> dict[str, Any]:
    """A ServiceEvent through to its agent, and a DataRequest, at the same exchange over as many links."""
    calls = settings.pick(20_000, 2_000)
    serials = [work.serial_of(number) for number in range(calls)]
    with ExitStack() as stack:
        exchange = ExchangeProcess(settings.directory / "event", configuration(), server_core())
        stack.callback(exchange.stop)
        fill(exchange, 0, calls)
        words = (str(exchange.agent_port), str(LINKS), str(AGENTS))
        sink = OrderedProcess(load_cores()[-1], python("-m", "benchmarks.agent_sink", *words))
        stack.callback(sink.close)
        sink.answer()
        targets = {}
        for name, dialogue in (("data", service_dialogue(serials)), ("event", service_events(serials))):
            generator = Generator(dialogue, exchange.service_port, _EVENT_LINKS)
            stack.callback(generator.close)
            targets[name] = Target(generator, exchange.processor_seconds)
        fetch_all(targets["data"].gun, calls)
        samples = rounds(targets, settings.effort, settings.random)
    entries: dict[str, Any] = {name: _entry(f"service link, {name}", samples[name]) for name in samples}
    return {"links": _EVENT_LINKS, "messages": entries, "event_to_data": ratio(samples["event"], samples["data"])}


def fetch_all(gun: Any, calls: int) -> None:
    """Ask for every call once: the first time costs more, since its agent is told."""
    answers = 0
    while answers < 2 * calls:
        answers += gun.run(0.2).answers
