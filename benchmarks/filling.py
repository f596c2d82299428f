"""Calls for an exchange, put there as in earnest: asked for on the agent link, accepted on the IVR link."""

from __future__ import annotations

from benchmarks.configurations import SERVICE
from benchmarks.exchange_process import ExchangeProcess
from benchmarks.load import Load, frame_of
from benchmarks.work import fields_of, serial_of
from ctiex.fields import Fields
from ctiex.messages import ConnectRequest

LINKS, AGENTS = 4, 50
"""Agent links, and agents logged in on each; more agents where there are many calls."""
_IN_FLIGHT, _AT_ONCE = 50, 20_000
_CALLS_OF_AGENT = 400
"""The mailbox of an agent keeps room for the end of each call, 1,000 by default."""


def fill(exchange: ExchangeProcess, first: int, count: int) -> None:
    """Put so many calls into an exchange, from a number on; all are with their service then."""
    agents = max(AGENTS, count // LINKS // _CALLS_OF_AGENT)
    load = Load(exchange.agent_port, exchange.service_port, LINKS, agents, _IN_FLIGHT)
    try:
        for begin in range(first, first + count, _AT_ONCE):
            load.run(_requests(load, range(begin, min(begin + _AT_ONCE, first + count))))
    finally:
        load.close()


def _requests(load: Load, numbers: range) -> list[list[bytes]]:
    return [
        [_request(number, agents[number // LINKS % len(agents)]) for number in numbers[link::LINKS]]
        for link, agents in enumerate(load.agents)
    ]


def _request(number: int, agent: str) -> bytes:
    serial = serial_of(number)
    request = ConnectRequest(serial, agent, SERVICE, "13800138000", fields=Fields(fields_of(serial)))
    return frame_of(request, number % 0x7FFFFFFF + 1)
