"""Kinds 30 to 3F on links without the feature for them, and on links with it, for the test vectors."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from ctiex import call_messages as c
from ctiex.errors import Status
from ctiex.messages import CALL_CONTROL_KINDS, KIND_OF, KINDS, Feature, Message, Role
from ctiex.testing.wire.cases import Case, both, broken, error, raw
from ctiex.testing.wire.good_calls import CALL, GOOD_CALLS

_FROM = {Role.AGENT: "an agent", Role.SERVICE: "a service"}
_CALLS = Feature.CALLS.value
_UNASSIGNED = [kind for kind in CALL_CONTROL_KINDS if kind not in KINDS]
_REQUESTS: list[Message] = [
    c.Monitor("1001"),
    c.AgentState("1001", c.AgentStateCode.READY),
    c.CallControl(c.Action.ANSWER, "1001", CALL),
    c.CallData("1001", CALL),
]
_REPLIES: list[Message] = [c.MonitorReply(0), c.AgentStateReply(0), c.CallControlReply(0, CALL), c.CallDataReply(0, 1)]
_NOTICES: list[Message] = [
    next(good.message for good in GOOD_CALLS if isinstance(good.message, kind))
    for kind in (c.AgentStateEvent, c.CallEvent, c.Snapshot)
]


def call_cases() -> Iterator[Case]:
    """All of them."""
    yield from _without()
    yield from _client_without()
    yield from _invoke_ids()
    yield from _wrong_side()
    yield from _replies()
    yield from _waiting()


def _not_allowed(message: Message, invoke_id: int = 5) -> tuple[dict[str, object]]:
    return error(Status.NOT_ALLOWED_HERE, KIND_OF[type(message)], invoke_id)


def _named(message: Message) -> str:
    name = type(message).__name__
    return f"{'an' if name[0] == 'A' else 'a'} {name}"


# ---------------------------------------------------------------- without the feature


def _without() -> Iterator[Case]:
    """They are known, assigned or not, and not allowed: whatever their bodies and invoke ids."""
    for role in Role:
        for kind in (CALL_CONTROL_KINDS[0], *_UNASSIGNED):
            name = f"kind {kind:02X} without the feature for it, from {_FROM[role]}"
            yield Case(name, raw(kind, "00"), error(Status.NOT_ALLOWED_HERE, kind), role=role)
        for message in (*_REQUESTS, *_REPLIES):
            name = f"{_named(message)} without the feature for it, from {_FROM[role]}"
            yield from both(Case(name, b"", _not_allowed(message), role=role), message)
    case = Case("a Monitor under id 0 without the feature for it", b"", _not_allowed(_REQUESTS[0], 0))
    yield from both(case, _REQUESTS[0], 0)
    told = _not_allowed(_REQUESTS[3])
    yield from broken(Case("a malformed CallData without the feature for it", b"", told), c.CallData)
    yield from both(Case("a Monitor before Bind", b"", error(Status.NOT_BOUND, 0x30), bound=False), _REQUESTS[0])
    for features in ("", _CALLS):
        name = f"a kind of call control with a bad flag, {'with' if features else 'without'} the feature"
        yield Case(name, raw(0x30, flags=2), error(Status.MALFORMED, 0x30), features=features)


def _client_without() -> Iterator[Case]:
    """A client that wasn't granted the feature says so of what comes all the same."""
    for kind in (CALL_CONTROL_KINDS[0], *_UNASSIGNED):
        told = error(Status.NOT_ALLOWED_HERE, kind)
        yield Case(f"kind {kind:02X} to an agent without the feature for it", raw(kind), told, side="client")
    for role in Role:
        for message in _NOTICES:
            name = f"{_named(message)} to {_FROM[role]} without the feature for it"
            yield from both(Case(name, b"", _not_allowed(message, 0), side="client", role=role), message, 0)
    for message in (*_REQUESTS, *_REPLIES):
        name = f"{_named(message)} to an agent without the feature for it"
        yield from both(Case(name, b"", _not_allowed(message), side="client"), message)
    case = Case("a malformed CallEvent to an agent without the feature for it", b"", side="client")
    yield from broken(evolve(case, answers=error(Status.NOT_ALLOWED_HERE, 0x3A)), c.CallEvent)


# ---------------------------------------------------------------- with it


def _with(
    name: str, message: Message, status: Status | None, invoke_id: int = 5, side: str = "exchange"
) -> Iterator[Case]:
    answers = () if status is None else error(status, KIND_OF[type(message)], invoke_id)
    yield from both(Case(name, b"", answers, side=side, features=_CALLS), message, invoke_id)


def _invoke_ids() -> Iterator[Case]:
    for message in _REQUESTS:
        yield from _with(f"{_named(message)} under id 0", message, Status.MALFORMED, 0)
    for message in _NOTICES:
        yield from _with(f"{_named(message)} under an id", message, Status.MALFORMED, side="client")
        yield from _with(f"{_named(message)} under id 0", message, None, 0, side="client")


def _wrong_side() -> Iterator[Case]:
    for kind in _UNASSIGNED:
        told = error(Status.NOT_ALLOWED_HERE, kind)
        for side, other in (("exchange", "from a client"), ("client", "to a client")):
            name = f"kind {kind:02X}, which isn't assigned, {other} with the feature"
            yield Case(name, raw(kind), told, side=side, features=_CALLS)
    for message in _NOTICES:
        name = f"{_named(message)} from a client with the feature"
        yield from _with(name, message, Status.NOT_ALLOWED_HERE, 0)
    for message in _REQUESTS:
        name = f"{_named(message)} to a client with the feature"
        yield from _with(name, message, Status.NOT_ALLOWED_HERE, side="client")


def _replies() -> Iterator[Case]:
    for side in ("exchange", "client"):
        for message in _REPLIES:
            yield from _with(f"{_named(message)} that nobody asked for", message, None, side=side)
    told = error(Status.MALFORMED, 0x37)
    case = Case("a malformed CallDataReply that nobody asked for", b"", told, side="client", features=_CALLS)
    yield from broken(case, c.CallDataReply)


def _waiting() -> Iterator[Case]:
    """A client whose CallControl waits under id 5."""
    waiting = Case("", b"", side="client", features=_CALLS, pending=c.CallControl)
    named = evolve(waiting, name="the reply to a CallControl", ends_request=True)
    yield from both(named, c.CallControlReply(0, CALL))
    named = evolve(waiting, name="the reply to a CallControl, with a status of a later version", ends_request=True)
    yield from both(named, c.CallControlReply(0x1000, CALL))
    named = evolve(waiting, name="the reply to a CallControl, malformed", ends_request=True)
    yield from broken(evolve(named, answers=error(Status.MALFORMED, 0x35)), c.CallControlReply)
    yield from both(evolve(waiting, name="a CallDataReply while a CallControl waits"), c.CallDataReply(0, 1))
    named = evolve(waiting, name="an event while a CallControl waits")
    yield from both(named, _NOTICES[1], 0)
