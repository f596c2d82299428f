"""An agent's desk in two coroutines: ready for customers, it takes each call through answer, hold and the end.

python docs/examples/practice_exchange.py
python docs/examples/desk.py [HOW-MANY-CUSTOMERS]

The environment may name another exchange and identity: EXCHANGE, IDENTITY, SECRET, AGENT.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet.defer import DeferredQueue
from twisted.internet.endpoints import clientFromString
from twisted.internet.task import react

from ctiex import Action, AgentClient, AgentStateCode, CallChange, CallError, ClientCall, ExchangeAccount, LinkError
from ctiex.call_messages import AgentStateEvent, CallEvent
from ctiex.clients import SHOWN


def show(call: ClientCall, event: CallEvent) -> None:
    """What a window would show: what has happened, who is there, and the buttons that may be pressed now."""
    what = "as it stands" if event.event == SHOWN else CallChange(event.event).name.lower()
    who = ", ".join(f"{party.number or party.agent} {party.connection_state.name.lower()}" for party in call.parties)
    buttons = " ".join(action.name.lower() for action in call.actions)
    print(f"{what}: {who} | {buttons}", flush=True)


def show_state(state: AgentStateEvent) -> None:
    """The agent's own state."""
    print(f"you are {state.agent_state.name.lower()} {state.reason}".rstrip(), flush=True)


async def serve(call: ClientCall) -> None:
    """One customer. Each action is begun when its method returns; the events say that it is done."""
    await call.answer()
    await call.until(CallChange.ESTABLISHED)
    await call.update(topic="bill", first_call=True)
    await call.hold()
    await call.until(CallChange.HELD)
    await call.retrieve()
    await call.until(CallChange.RETRIEVED)
    print(f"serial {call.serial}, data {call.data.describe()}", flush=True)
    await call.clear()
    await call.until(CallChange.CLEARED)


async def desk(reactor: Any, customers: str = "1") -> None:
    """Serve so many customers, and leave."""
    account = ExchangeAccount(
        clientFromString(reactor, os.environ.get("EXCHANGE", "tcp:127.0.0.1:7300")),
        os.environ.get("IDENTITY", "desk"),
        os.environ.get("SECRET", "desk-secret"),
    )
    client = AgentClient(reactor, account)
    ringing: DeferredQueue[ClientCall] = DeferredQueue()

    def happened(call: ClientCall, event: CallEvent) -> None:
        show(call, event)
        if event.event in (CallChange.ALERTING, SHOWN) and call.allows(Action.ANSWER):
            ringing.put(call)

    client.startService()
    try:
        agent = await client.login(os.environ.get("AGENT", "1001"), on_call_event=happened, on_state=show_state)
        await agent.set_state(AgentStateCode.READY)
        for _ in range(int(customers)):
            call = await ringing.get()
            try:
                await serve(call)
            except (CallError, LinkError) as error:  # the customer left, another desk was quicker, the link is lost
                print(f"not done: {error}", flush=True)
        await agent.set_state(AgentStateCode.LOGGED_OUT)
        await agent.until_state(AgentStateCode.LOGGED_OUT)
    finally:
        await client.stopService()


if __name__ == "__main__":
    react(desk, sys.argv[1:])
