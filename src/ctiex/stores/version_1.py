"""A file of schema version 1 becomes one of version 2, in which every row is bound to the key.

Version 1 sealed the content of calls and events for the place they stood at, and had everything else in clear: what
stands there is taken as it is, once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from ctiex.errors import StoreUnavailable
from ctiex.records import Call, CallState, StoredEvent
from ctiex.stores.marks import NO_MARK, new_mark
from ctiex.stores.rows import OtherKey, Rows, parted, unpacked_numbers
from ctiex.stores.sealing import Seal, Unsealed

_AT_ONCE = 1_000


def bind_rows(database: sqlite3.Connection, seal: Seal) -> None:
    """Stamp every row, and seal its content for its new place.

    :raise StoreUnavailable: the key is another.
    """
    rows = Rows(seal)
    database.execute("INSERT INTO store VALUES (?, ?, ?)", rows.new_store())
    database.execute("INSERT INTO mark VALUES (1, ?, ?, ?)", (new_mark(), NO_MARK, NO_MARK))
    _bind_calls(database, seal, rows)
    _bind_events(database, seal, rows)
    mailboxes = database.execute("SELECT agent, last_sequence FROM agents").fetchall()
    database.executemany("INSERT OR REPLACE INTO agents VALUES (?, ?, ?)", [rows.mailbox(*one) for one in mailboxes])
    metadata = database.execute("SELECT name, value FROM facts").fetchall()
    database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", [rows.metadata(*one) for one in metadata])


def _bind_calls(database: sqlite3.Connection, seal: Seal, rows: Rows) -> None:
    for lot in _lots_of_calls(database):
        calls = [_call(seal, *columns) for columns in lot]
        database.executemany(
            "INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", map(rows.call, calls)
        )
        kept = [rows.context(call) for call in calls if call.data or call.digest or call.calling_number]
        database.executemany("INSERT OR REPLACE INTO contexts VALUES (?, ?)", kept)


def _lots_of_calls(database: sqlite3.Connection) -> Iterator[list[Any]]:
    last = ""
    while lot := database.execute(
        "SELECT serial, agent, service, identity, state, deadline, owner, told, event_ids, sealed"
        " FROM calls LEFT JOIN contexts USING (serial) WHERE serial > ? ORDER BY serial LIMIT ?",
        (last, _AT_ONCE),
    ).fetchall():
        yield lot
        last = lot[-1][0]


def _call(
    seal: Seal, serial: str, agent: str, service: str, identity: str, state: str, deadline: float, owner: str,
    told: bytes, event_ids: bytes, sealed: bytes | None,
) -> Call:  # fmt: skip
    content = b"" if sealed is None else _opened(seal, sealed, serial, f"call {serial!a}")
    return Call(
        serial, agent, service, identity, *parted(content), CallState(state), deadline, owner,
        frozenset(told), frozenset(unpacked_numbers(event_ids)),
    )  # fmt: skip


def _bind_events(database: sqlite3.Connection, seal: Seal, rows: Rows) -> None:
    for (agent,) in database.execute("SELECT DISTINCT agent FROM events").fetchall():
        found = database.execute("SELECT sequence, expires, sealed FROM events WHERE agent = ?", (agent,)).fetchall()
        events = [
            StoredEvent(
                agent,
                sequence,
                _opened(seal, sealed, f"{agent}/{sequence}", f"event {sequence} of agent {agent!a}"),
                expires,
            )
            for sequence, expires, sealed in found
        ]
        database.executemany("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?)", map(rows.event, events))


def _opened(seal: Seal, sealed: bytes, place: str, record: str) -> bytes:
    try:
        return seal.open(sealed, place.encode())
    except Unsealed:
        raise StoreUnavailable(f"{record} can't be opened: {OtherKey()}, or is damaged") from None
