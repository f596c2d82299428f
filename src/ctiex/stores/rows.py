"""A record as a row of a table and back: every column of it is bound to the key.

What a row decides (who is given the data, who the result, until when) stands in clear, so it is stamped; the stamp of
a call also covers its content, which is sealed beside it. A row that was changed without the key, or that belongs to
another place, is refused by its name.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ctiex.errors import StoreUnavailable
from ctiex.records import Call, CallState, StoredEvent
from ctiex.stores.compact import packed_reports, unpacked_reports
from ctiex.stores.sealing import Seal, Unsealed, bound

_CONTEXT = struct.Struct(">HBHII")
"""Lengths of the calling number, the digest, the reference, the data and the fields in a sealed context."""
_CALL = struct.Struct(">8Id2Q3B")
"""Lengths of the names of a call, of what was told and reported of it; its deadline, times, what is to be told."""
_CALL_MARK = b"call"
"""Nothing that ``bound`` has made begins like it."""
_MOMENT = struct.Struct(">d")
_NUMBER = struct.Struct(">Q")
_LONGEST_NAME = 60
_GENERATION_SIZE = 16
_TO_DO = "`ctiex store check` names every such record, `ctiex store restore` puts a sound copy in the file's place"

Row = tuple[Any, ...]
"""The columns of a row, in their order in the table."""


class Changed(StoreUnavailable):
    """A record was changed without the key, or is damaged."""

    def __init__(self, record: str) -> None:
        super().__init__(f"{record} was changed without the key, or is damaged; {_TO_DO}")


class OtherKey(StoreUnavailable):
    """The whole file was sealed with another key."""

    def __init__(self) -> None:
        super().__init__("it was sealed with another key than the one given")


class Rows:
    """Makes rows with one key, and takes no others."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    # ------------------------------------------------------------ calls

    def call(self, call: Call) -> Row:
        """The row of a call."""
        columns = (
            call.serial, call.agent, call.service, call.identity, call.state.value, call.deadline, call.owner,
            bytes(sorted(call.told)), packed_reports(call.reports), call.begun, call.since, int(call.ended_as),
            int(call.changed), int(call.refused),
        )  # fmt: skip
        return (*columns, self._seal.stamp(_whole_call(columns, content_of(call))))

    def context(self, call: Call) -> Row:
        """The row of a call's number, digest, reference and data."""
        return call.serial, self._seal.seal(content_of(call), _context_place(call.serial))

    def opened_call(self, *row: Any) -> Call:
        """The call of a row, behind whose columns stands the sealed content.

        :raise Changed: the row or the context isn't as this key's owner wrote it.
        """
        *columns, stamp, sealed = row
        serial, agent, service, identity, state, deadline, owner, told, reports, begun, since, *to_tell = columns
        ended_as, changed, refused = to_tell
        with _changed(_named("call", serial)):
            content = self._seal.open(sealed, _context_place(serial))
            self._seal.check(stamp, _whole_call(columns, content))
            number, digest, reference, data, asked = parted(content)
            return Call(
                serial, agent, service, identity, number, digest, data, CallState(state), deadline, reference, asked,
                begun, since, owner, frozenset(told), unpacked_reports(reports), ended_as, bool(changed), bool(refused),
            )  # fmt: skip

    # ------------------------------------------------------------ mailboxes

    def event(self, event: StoredEvent) -> Row:
        """The row of an event."""
        columns = event.agent, event.sequence, event.expires
        return *columns, self._seal.seal(event.body, _event_place(*columns))

    def opened_event(self, agent: Any, sequence: Any, expires: Any, sealed: Any) -> StoredEvent:
        """The event of a row.

        :raise Changed: it isn't as this key's owner wrote it.
        """
        with _changed(f"event {_short(sequence)} of {_named('agent', agent)}"):
            return StoredEvent(
                agent, sequence, self._seal.open(sealed, _event_place(agent, sequence, expires)), expires
            )

    def mailbox(self, agent: str, last_sequence: int) -> Row:
        """The row of an agent's numbering."""
        return agent, last_sequence, self._seal.stamp(_whole_mailbox(agent, last_sequence))

    def opened_mailbox(self, agent: Any, last_sequence: Any, stamp: Any) -> tuple[str, int]:
        """The agent and the last sequence of a row.

        :raise Changed: it isn't as this key's owner wrote it.
        """
        with _changed(f"the numbering of {_named('agent', agent)}"):
            self._seal.check(stamp, _whole_mailbox(agent, last_sequence))
            return agent, last_sequence

    # ------------------------------------------------------------ labels, and the file itself

    def metadata(self, name: str, value: str) -> Row:
        """The row of a label."""
        return name, self._seal.seal(value.encode(), bound(b"label", name.encode()))

    def opened_label(self, name: Any, sealed: Any) -> tuple[str, str]:
        """The name and the value of a row.

        :raise Changed: it isn't as this key's owner wrote it.
        """
        with _changed(_named("label", name)):
            return name, self._seal.open(sealed, bound(b"label", name.encode())).decode()

    def new_store(self) -> Row:
        """The row that names the file: it shows whether the file was sealed with another key."""
        generation = os.urandom(_GENERATION_SIZE)
        return 1, generation, self._seal.stamp(bound(b"store", generation))

    def check_store(self, generation: Any, stamp: Any) -> None:
        """Look at the row that names the file.

        :raise OtherKey: the file isn't this key's.
        """
        try:
            self._seal.check(stamp, bound(b"store", generation))
        except (Unsealed, TypeError):
            raise OtherKey from None


def content_of(call: Call) -> bytes:
    """What is sealed of a call: its number, digest, reference, data, and the fields as they were asked for."""
    parts = call.calling_number.encode(), call.digest, call.reference.encode(), call.data, call.asked
    return _CONTEXT.pack(*map(len, parts)) + b"".join(parts)


def parted(content: bytes) -> tuple[str, bytes, str, bytes, bytes]:
    """The number, the digest, the reference, the data, and the fields as they were asked for."""
    parts, at = [], _CONTEXT.size
    for length in _CONTEXT.unpack_from(content):
        parts.append(content[at : at + length])
        at += length
    number, digest, reference, data, asked = parts
    return number.decode(), digest, reference.decode(), data, asked


def _whole_call(columns: Iterable[Any], content: bytes) -> bytes:
    """Everything that a call's stamp covers, as ``bound`` does it: in one piece, since it is made for every change."""
    serial, agent, service, identity, state, deadline, owner, told, reports, begun, since, *to_tell = columns
    lengths = _CALL.pack(
        len(serial),
        len(agent),
        len(service),
        len(identity),
        len(state),
        len(owner),
        len(told),
        len(reports),
        deadline,
        begun,
        since,
        *to_tell,
    )
    names = serial + agent + service + identity + state + owner
    return b"".join((_CALL_MARK, lengths, names.encode(), told, reports, content))


def _context_place(serial: str) -> bytes:
    return bound(b"context", serial.encode())


def _event_place(agent: str, sequence: int, expires: float) -> bytes:
    return bound(b"event", agent.encode(), _NUMBER.pack(sequence), _MOMENT.pack(expires))


def _whole_mailbox(agent: str, last_sequence: int) -> bytes:
    return bound(b"mailbox", agent.encode(), _NUMBER.pack(last_sequence))


@contextmanager
def _changed(record: str) -> Iterator[None]:
    """Raise any error about a record with its name: a column may hold anything."""
    try:
        yield
    except (Unsealed, ValueError, TypeError, AttributeError, struct.error):
        raise Changed(record) from None


def _named(kind: str, name: Any) -> str:
    return f"{kind} {_short(name)}"


def _short(value: Any) -> str:
    """A name as it stands in the file, which may hold anything: none of it reaches a terminal."""
    text = value if isinstance(value, str) else repr(value)
    return text if text.isascii() and text.isalnum() and len(text) <= _LONGEST_NAME else ascii(text[:_LONGEST_NAME])
