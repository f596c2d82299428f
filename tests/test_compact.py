"""Calls as a store in memory holds them."""

from __future__ import annotations

import gc

from hypothesis import given, settings
from hypothesis import strategies as st

from ctiex.records import Call, CallState
from ctiex.stores.compact import packed, unpacked

_TEXTS = st.text(max_size=20)
CALLS = st.builds(
    Call,
    serial=st.from_regex(r"[0-9]{1,20}", fullmatch=True),
    agent=_TEXTS,
    service=_TEXTS,
    identity=_TEXTS,
    calling_number=_TEXTS,
    digest=st.binary(max_size=16),
    data=st.binary(max_size=100),
    state=st.sampled_from(CallState),
    deadline=st.floats(allow_nan=False),
    owner=_TEXTS,
    told=st.frozensets(st.integers(10, 13)),
    event_ids=st.frozensets(st.integers(0, 2**64 - 1)),
)


@given(CALLS)
@settings(deadline=None)
def test_a_call_comes_back_as_it_was(call: Call) -> None:
    assert unpacked(call.serial, packed(call)) == call


@given(CALLS)
@settings(deadline=None, max_examples=10)
def test_the_garbage_collector_walks_a_record_no_more_than_twice(call: Call) -> None:
    records = [packed(call)]
    for _ in range(2):
        gc.collect()
    assert not any(gc.is_tracked(part) for part in (records[0], *records[0]))
