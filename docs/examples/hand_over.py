"""An agent's application in one coroutine: hand a customer to a service, and watch what becomes of them.

python docs/examples/hand_over.py SERVICE CALLING_NUMBER [NAME=VALUE ...]

The environment may name another exchange and identity: EXCHANGE, IDENTITY, SECRET, AGENT, CODEC.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet.endpoints import clientFromString
from twisted.internet.task import react

from ctiex import AgentClient, ExchangeAccount, Fields
from ctiex.interfaces import ICodecPlugin
from ctiex.plugins import find_plugin


async def hand_over(reactor: Any, service: str, calling_number: str, *named: str) -> None:
    """Connect one customer; each NAME=VALUE is a field, an integer where it looks like one."""
    endpoint = clientFromString(reactor, os.environ.get("EXCHANGE", "tcp:127.0.0.1:7300"))
    account = ExchangeAccount(
        endpoint,
        os.environ.get("IDENTITY", "desk"),
        os.environ.get("SECRET", "desk-secret"),
        find_plugin(ICodecPlugin, os.environ.get("CODEC", "binary")).build(),
    )
    client = AgentClient(reactor, account)
    client.startService()
    try:
        agent = await client.login(os.environ.get("AGENT", "1001"))
        fields = dict(pair.split("=", 1) for pair in named)
        hand_off = await agent.connect(
            service, calling_number, Fields({name: int(v) if v.isdecimal() else v for name, v in fields.items()})
        )
        print(f"serial {hand_off.serial}", flush=True)
        async for event in hand_off.events():
            print(f"{event.condition.text}: {event.fields.describe()}".rstrip(": "), flush=True)
    finally:
        await client.stopService()


if __name__ == "__main__":
    react(hand_over, sys.argv[1:])
