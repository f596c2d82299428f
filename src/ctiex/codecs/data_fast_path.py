"""The fast path of a DataRequest: from the bytes of a read to the bytes of the answers.

Only what needs no thought is answered here: whole, well-formed DataRequests for data that the same
identity has fetched before. At the first frame that is anything else this stops; that frame and all
behind it go the usual way, which gives the same answers (tests/test_data_fast_path.py holds the two together). The
form of the frames is taken from the layouts; nothing is declared here.

Requests with serials of the same length have the same form: only the invoke id and the serial differ. So one
``struct`` pattern takes a whole run of them apart, and what has to be checked is compared in three pieces.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from attrs import Factory, frozen
from zope.interface import implementer

from ctiex.codecs.framing import frame_bytes
from ctiex.codecs.layouts import HEADER, LAYOUTS
from ctiex.codecs.shapes import Text, number_codes, shape_of
from ctiex.interfaces import IDataResponder
from ctiex.messages import KIND_OF, DataRequest, DataResult

_SERIAL, _ADDRESS = shape_of(LAYOUTS[DataRequest])
assert isinstance(_SERIAL, Text) and isinstance(_ADDRESS, Text), "the body of a DataRequest is two texts"

_SERIAL_CODE, _MOST_DIGITS = _SERIAL.code, _SERIAL.greatest
_SERIAL_LENGTH, _ADDRESS_LENGTH = struct.Struct(f">{_SERIAL_CODE}"), struct.Struct(f">{_ADDRESS.code}")
_INVOKE_ID_SIZE = struct.calcsize(f">{number_codes(HEADER)[-1]}")
_HEAD_SIZE = struct.calcsize(number_codes(HEADER)) - _INVOKE_ID_SIZE
"""The header up to the invoke id, which stands last in it."""
_NO_INVOKE_ID = bytes(_INVOKE_ID_SIZE)
_LEAST_SIZE = _HEAD_SIZE + _INVOKE_ID_SIZE + _SERIAL_LENGTH.size
_REQUEST, _RESULT = KIND_OF[DataRequest], KIND_OF[DataResult]
_MOST_HEADS = 4_096


_Form = tuple[bytes, int, bytes, int, struct.Struct]
"""How requests with serials of one length look: head, digits of the serial, tail (the exchange address with its
length), size of the frame, and the pattern that takes it apart. A tuple, since it is looked into for every read."""


def _form(digits: int, tail: bytes) -> _Form:
    head = frame_bytes(_REQUEST, 0, bytes(_SERIAL_LENGTH.size + digits + len(tail)))[:_HEAD_SIZE]
    pattern = struct.Struct(f">{_HEAD_SIZE}s{_INVOKE_ID_SIZE}s{_SERIAL_CODE}{digits}s{len(tail)}s")
    return head, digits, tail, pattern.size, pattern


@implementer(IDataResponder)
@frozen
class DataResponder:
    """Answers the DataRequests of one identity's links."""

    _fetched: Callable[[str, str], bytes | None]
    _identity: str
    _forms: dict[tuple[bytes, int], _Form]
    """The forms that a request may have, by head and length of the serial."""
    _heads: dict[int, bytes] = Factory(dict)
    """The heads of answers that were given, by the length of the body."""

    @classmethod
    def of(cls, fetched: Callable[[str, str], bytes | None], identity: str, exchange_address: str) -> DataResponder:
        """For the links of an identity, at an exchange with this advertised address."""
        address = exchange_address.encode()
        tails = _ADDRESS_LENGTH.pack(0), _ADDRESS_LENGTH.pack(len(address)) + address
        forms = [_form(digits, tail) for digits in range(1, _MOST_DIGITS + 1) for tail in tails]
        return cls(fetched, identity, {form[:2]: form for form in forms})

    def answer(self, data: bytes, output: list[bytes], most: int, full: int) -> tuple[int, int]:
        """Answer the first frames of a read, as far as they can be."""
        fetched, identity, heads = self._fetched, self._identity, self._heads
        at = frames = size = 0
        end = len(data)
        while end - at >= _LEAST_SIZE:
            form = self._forms.get((data[at : at + _HEAD_SIZE], data[at + _LEAST_SIZE - 1]))
            if form is None:
                return at, frames
            head, digits, tail, form_size, pattern = form
            begun, run = at, (end - at) // form_size
            if run > most - frames:  # said without min(): a call more for each request would be felt
                run = most - frames
            if run <= 0:
                break
            run_end = at + run * form_size
            for its_head, invoke_id, its_digits, serial, its_tail in pattern.iter_unpack(data[at:run_end]):
                if its_head != head or its_digits != digits or its_tail != tail:
                    break
                try:
                    body = fetched(serial.decode("latin-1"), identity)  # takes every byte; no serial: not found
                except Exception:  # a store's fault: the usual way meets it again, and says so
                    body = None
                if body is None or invoke_id == _NO_INVOKE_ID or size >= full:
                    return at, frames
                length = len(body)
                output += (heads.get(length) or self._head(length), invoke_id, body)
                at, frames, size = at + form_size, frames + 1, size + length
            if at == begun:
                break
        return at, frames

    def _head(self, length: int) -> bytes:
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        head = self._heads[length] = frame_bytes(_RESULT, 0, bytes(length))[:_HEAD_SIZE]
        return head
