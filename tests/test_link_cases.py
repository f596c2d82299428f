"""The cases of docs/vectors.json about kinds 30 to 3F, played to sessions: both sides answer as the file says."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from ctiex.call_messages import Action, CallControl
from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.errors import LinkError
from ctiex.interfaces import ICodec
from ctiex.limits import SessionLimits
from ctiex.links import rules
from ctiex.links.session import Session
from ctiex.messages import CALL_CONTROL_KINDS, KIND_OF, Bind, BindReply, Error, Message, Role
from ctiex.testing.vectors import CASES
from ctiex.testing.wire.cases import ID, Case

from .conversation import Above

_CODECS: dict[str, ICodec] = {"binary": BinaryCodec(), "json": JsonCodec()}
_ABOUT = set(CALL_CONTROL_KINDS)
_AFFECTED = [case for case in CASES if case.features or any(each.get("about") in _ABOUT for each in case.answers)]
_NAMES = [f"{case.name}, {case.codec}, {case.side}" for case in _AFFECTED]


class _Granting(Above):
    """Grants a client the features that it names."""

    def decide(self, status: int = 0) -> None:
        assert self.bind is not None
        bind, invoke_id = self.bind
        self.session.bound(BindReply(status, features=bind.features), invoke_id, bind.role)


def _bound(case: Case) -> Session:
    """A session in the state that the case names."""
    codec, above = _CODECS[case.codec], _Granting(answers=False)
    bound_by = rules.client(case.role, case.features.split()) if case.side == "client" else None
    session = above.session = Session(codec, SessionLimits(), above, 0.0, bound_by)
    if case.side == "exchange" and case.bound:
        bind = Bind(case.role, "x", "y", features=case.features)
        session.receive(codec.frame(KIND_OF[Bind], 1, codec.encode_body(bind)), 0.0)
    session.take_output()
    return session


def _ask(session: Session, kind: type[Message]) -> list[Message | LinkError]:
    """Ask under the ids up to the one of the cases; what answers the last one."""
    assert kind is CallControl
    answers: list[list[Message | LinkError]] = [[] for _ in range(ID)]
    for each in answers:
        session.request(CallControl(Action.ANSWER, "1001", "c-17"), each.append, inf)
    session.take_output()
    return answers[-1]


def _answers(case: Case, session: Session) -> list[dict[str, Any]]:
    """What comes back, as far as the file names it: these cases are answered by Errors alone."""
    codec = _CODECS[case.codec]
    read = codec.decoder(1 << 20)
    read.receive(session.take_output())
    errors = [(frame.invoke_id, codec.decode_body(frame)) for frame in read.frames()]
    return [
        {"kind": "Error", "id": invoke_id, "status": error.status, "about": error.about}
        for invoke_id, error in errors
        if isinstance(error, Error)
    ]


def test_there_are_cases_of_both_sides_with_the_feature_and_without() -> None:
    found = {(case.side, case.codec, bool(case.features), case.role) for case in _AFFECTED}
    sides = [(side, codec) for side in ("exchange", "client") for codec in _CODECS]
    expected = {(*side, *rest) for side in sides for rest in ((True, Role.AGENT), (False, Role.AGENT))}
    assert found == expected | {(*side, False, Role.SERVICE) for side in sides}


@pytest.mark.parametrize("case", _AFFECTED, ids=_NAMES)
def test_what_a_session_does_with_a_case_is_what_the_file_says(case: Case) -> None:
    session = _bound(case)
    answered = [] if case.pending is None else _ask(session, case.pending)
    session.receive(case.data, 0.0)
    assert _answers(case, session) == list(case.answers)
    assert bool(answered) == case.ends_request
    assert session.ended is None
