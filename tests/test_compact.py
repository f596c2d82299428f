"""Calls as a store in memory holds them."""

from __future__ import annotations

import gc
from unittest import mock

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiex.records import DIGEST_SIZE, Call, CallState
from ctiex.stores import compact
from ctiex.stores.compact import Calls, packed, unpacked

_TEXTS = st.text(max_size=20)
_DIGESTS = st.binary(min_size=DIGEST_SIZE, max_size=DIGEST_SIZE)
_TIMES = st.integers(0, 2**63 - 1)
CALLS = st.builds(
    Call,
    serial=st.from_regex(r"[0-9]{1,20}", fullmatch=True),
    agent=_TEXTS,
    service=_TEXTS,
    identity=_TEXTS,
    calling_number=_TEXTS,
    digest=st.binary(max_size=DIGEST_SIZE),
    data=st.binary(max_size=100),
    state=st.sampled_from(CallState),
    deadline=st.floats(allow_nan=False),
    owner=_TEXTS,
    told=st.frozensets(st.integers(10, 13)),
    reports=st.dictionaries(st.integers(0, 2**64 - 1), _DIGESTS, max_size=4),
    reference=_TEXTS,
    asked=st.binary(max_size=50),
    begun=_TIMES,
    since=_TIMES,
    ended_as=st.sampled_from([0, 3, 14, 15, 16]),
    changed=st.booleans(),
)


@given(CALLS)
@settings(deadline=None)
def test_a_call_comes_back_as_it_was(call: Call) -> None:
    assert unpacked(call.serial, packed(call)) == call


@pytest.mark.gate
@given(CALLS)
@settings(deadline=None, max_examples=10)
def test_the_garbage_collector_walks_a_record_no_more_than_twice(call: Call) -> None:
    records = [packed(call)]
    for _ in range(2):
        gc.collect()
    assert not any(gc.is_tracked(part) for part in (records[0], *records[0]))


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["put", "put_packed"]), CALLS),
        st.tuples(st.sampled_from(["forget", "change and put back"]), st.sampled_from("0123456789")),
    ),
    max_size=60,
)


@given(_STEPS)
@settings(deadline=None)
def test_calls_are_the_same_however_they_are_held(steps: list[tuple[str, Call | str]]) -> None:
    calls, model = Calls(), dict[str, Call]()
    with mock.patch.object(compact, "_MOST_LOOSE", 4):
        for step, what in steps:
            if isinstance(what, Call):
                call = model[what.serial[0]] = evolve(what, serial=what.serial[0])
                (calls.put if step == "put" else calls.put_packed)(call)
            elif step == "forget":
                model.pop(what, None)
                calls.forget(what)
            else:
                before = calls.held(what)
                calls.put(Call(what, "", "", "", "", b"", b"", CallState.CLOSED, 0.0))
                calls.put_back(what, before)
    assert {call.serial: call for call in calls} == model
    assert len(calls) == len(model)
    for serial in "0123456789":
        assert calls.get(serial) == model.get(serial)
        found = model.get(serial)
        for owner in {"", "other", found.owner if found else ""}:
            fetched = found is not None and found.state is CallState.FETCHED and found.owner == owner
            given = found.data if found is not None and fetched and not found.changed else None
            assert calls.fetched(serial, owner) == given


def test_very_many_calls_are_packed_but_for_the_last_ones() -> None:
    calls = Calls()
    for number in range(20_000):
        calls.put(Call(str(number), "1", "s", "i", "138", b"", b"", CallState.CONNECTED, 1.0))
    loose = sum(isinstance(calls.held(str(number)), Call) for number in range(20_000))
    assert 3_000 < loose <= 4_096
    assert isinstance(calls.held("19999"), Call)
