"""What ``ctiex agent`` says of events, calls and states, a line each; and fields as they are typed."""

from __future__ import annotations

from collections.abc import Collection

from ctiex.call_messages import AgentStateCode, AgentStateEvent, CallChange, CallEvent, CallParty, PartyRole, Recording
from ctiex.clients import SHOWN, ClientCall
from ctiex.errors import FieldError, Status
from ctiex.fields import Fields, Value
from ctiex.messages import AgentEvent

_ACTION_WORDS = {"record start": "record", "stop supervision": "stop"}


def read_fields(words: list[str]) -> Fields:
    """Fields as they are typed: ``name=text``, ``name:=5``, ``name:=true``.

    :raise FieldError: a word is no field; the text doesn't repeat it, since it may be somebody's secret.
    """
    return Fields([_field(place, word) for place, word in enumerate(words, 1)])


def _field(place: int, word: str) -> tuple[str, Value]:
    name, equals, text = word.partition("=")
    if not equals or not name.rstrip(":"):
        raise FieldError(f"field {place}: expected NAME=TEXT, NAME:=INTEGER, NAME:=true or NAME:=false")
    if not name.endswith(":"):
        return name, text
    if text in ("true", "false"):
        return name[:-1], text == "true"
    try:
        return name[:-1], int(text)
    except ValueError:
        raise FieldError(f"field {name[:-1]!r}: expected an integer, true or false after :=") from None


def describe(event: AgentEvent, secret: Collection[str] = ()) -> str:
    """An event in one line, for the agent it is meant for, but for the fields named in ``secret``."""
    status = "" if event.status == Status.OK else f" ({Status.of(event.status).text})"
    fields = f": {event.fields.describe(secret)}" if event.fields else ""
    return f"event {event.sequence}, call {event.serial}: {event.condition.text}{status}{fields}"


def in_words(change: int) -> str:
    """What a CallEvent tells: ``party dropped``."""
    if change == SHOWN:
        return "goes on"
    try:
        return CallChange(change).name.lower().replace("_", " ")
    except ValueError:
        return f"change {change}"


def describe_change(number: int, call: ClientCall, event: CallEvent, me: str = "", secret: Collection[str] = ()) -> str:
    """A call event in one line: what happened, why, and who is in the call now."""
    reasons = []
    if event.status != Status.OK:
        reasons.append(Status.of(event.status).text)
    if event.cause:
        reasons.append(f"cause {event.cause}")
    if event.by and event.by != call.agent:
        reasons.append(f"by {event.by}")
    why = f" ({', '.join(reasons)})" if reasons else ""
    how = f": {describe_call(call, me, secret)}" if call.parties else ""
    return f"call {number} {in_words(event.event)}{why}{how}"


def describe_call(call: ClientCall, me: str = "", secret: Collection[str] = ()) -> str:
    """How a call stands, without its number.

    :param me: the agent number of who reads it.
    """
    said = ["; ".join(describe_party(party, me) for party in call.parties) or "nobody yet"]
    if call.agent != me:
        said.append(f"of agent {call.agent}")
    if call.related:
        said.append("a consultation")
    if call.queue:
        said.append(f"from queue {call.queue}")
    if call.recording is not Recording.OFF:
        said.append("recorded" if call.recording is Recording.ON else "recording paused")
    if call.data:
        said.append(f"data: {call.data.describe(secret)}")
    return " | ".join(said)


def describe_party(party: CallParty, me: str) -> str:
    """Who is in a call, and how connected."""
    mine = party.agent == me and party.party_role in (PartyRole.AGENT, PartyRole.SUPERVISOR)
    role = "you" if mine else party.party_role.name.lower()
    who = party.agent or party.number or "number unknown"
    return f"{who} ({role}) {party.connection_state.name.lower().replace('_', ' ')}"


def describe_actions(call: ClientCall) -> str:
    """What may be asked for now."""
    names = (action.name.lower().replace("_", " ") for action in call.actions)
    return ", ".join(_ACTION_WORDS.get(name, name) for name in names) or "nothing"


def describe_state(state: AgentStateEvent) -> str:
    """The state of an agent in one line."""
    said = f"agent {state.agent} is {_state(state.agent_state, state.reason)}"
    if state.until:
        said += f" for {max(0, state.until - state.time) // 1_000} s"
    if state.pending_state is not AgentStateCode.NONE:
        said += f", then {_state(state.pending_state, state.pending_reason)}"
    if state.by:
        said += f", asked for by {state.by}"
    return said


def _state(state: AgentStateCode, reason: str) -> str:
    word = state.name.lower().replace("_", " ")
    return f"{word} ({reason})" if reason else word
