"""``ctiex store``: what a durable store holds, whether it is sound, all of it as JSON; copies, and one put back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from attrs import frozen
from twisted.python.usage import UsageError

from ctiex.app.commands.masking import MaskingOptions
from ctiex.app.output import say
from ctiex.app.store_codecs import AGENT_CODEC, IVR_CODEC
from ctiex.codecs.json_values import value_to_json
from ctiex.config.plugin_checks import Finder
from ctiex.errors import CodecError, ConfigurationError, StoreUnavailable
from ctiex.extras import need
from ctiex.fields import EMPTY, MASK, Fields
from ctiex.interfaces import ICodec, ICodecPlugin
from ctiex.messages import KIND_OF, AgentEvent, DataResult, Message
from ctiex.plugins import find_plugin
from ctiex.processing.digests import KEY_LABEL
from ctiex.processing.presence import is_number_label
from ctiex.records import Call, CallState, StoredEvent

if TYPE_CHECKING:
    from ctiex.stores.sealing import Seal  # cryptography is optional
    from ctiex.stores.sqlite_file import SqliteFile

_ACTIONS = ("show", "check", "export", "backup", "restore")
_COPY = {"backup": "to", "restore": "from"}
"""The option that names the copy."""
_MOST_AGENTS = 20
"""Agents that ``show`` names, those with the most events first."""
_LONGEST = 2**31 - 1


class Options(MaskingOptions):
    """The options of ``ctiex store``."""

    synopsis = "show|check|export|backup|restore FILE [options]"
    longdesc = (
        "Reads the file of a sqlite store, also while an exchange runs on it: show summarizes it, check lists what is"
        " wrong with it, export prints its calls and events, one JSON object a line, backup --to COPY makes a"
        " consistent copy. restore --from COPY replaces it by a sound copy while no exchange runs on it and deletes the"
        " write-ahead log of the old file. The key comes from --key-file, unless the variable CTIEX_STORE_KEY holds it."
        " Numbers of customers and values of fields are masked unless --show-values is given."
        " Exit code 1: it can't be read, or something is wrong with it."
    )
    optFlags = [["show-values", None, "Show the values of fields, and the numbers of customers."]]
    optParameters = [
        ["key-file", "k", None, "The file with the key; FILE.key by default."],
        ["to", None, None, "backup: the copy to make; the file must not exist."],
        ["from", None, None, "restore: the copy to restore from; it isn't changed."],
    ]

    action = ""
    file = Path()

    def parseArgs(self, *arguments: str) -> None:
        """Take what to do, and the file.

        :raise UsageError: one of them is missing, or there is no such thing to do.
        """
        if len(arguments) != 2 or arguments[0] not in _ACTIONS:
            raise UsageError(f"found {' '.join(arguments) or 'nothing'}, expected {', '.join(_ACTIONS)}, and a file")
        self.action, self.file = arguments[0], Path(arguments[1])

    def postOptions(self) -> None:
        """Look whether the copy is named where there is one.

        :raise UsageError: a needed option is missing, or one is given that isn't allowed.
        """
        super().postOptions()
        wanted = _COPY.get(self.action)
        for option in _COPY.values():
            if (self[option] is None) == (option == wanted):
                verb = "is needed for" if option == wanted else "can't be used with"
                raise UsageError(f"--{option} COPY {verb} {self.action}")

    @property
    def other_file(self) -> Path:
        """The copy that is made, or put in place."""
        return Path(self[_COPY[self.action]])


def run(options: Options, stdout: TextIO, stderr: TextIO, find: Finder = find_plugin) -> int:
    """Show, check, export, back up or restore; 0, or 1 where the store can't be read or isn't sound.

    :param find: finds the plugins of the codecs that the store was used with.
    """
    try:
        need("durable", "ctiex store")
        return _copied(options, stdout) if options.action in _COPY else _read(options, stdout, find)
    except (StoreUnavailable, ConfigurationError) as error:
        say(error, stderr)
        return 1


def _read(options: Options, stdout: TextIO, find: Finder) -> int:
    """Show, check or export.

    :raise StoreUnavailable: the file isn't there, or is no store.
    :raise ConfigurationError: there is no key.
    """
    from ctiex.stores.sqlite_file import SqliteFile

    if not options.file.is_file():
        raise StoreUnavailable(f"{options.file}: there is no such file")
    file = SqliteFile(options.file, _seal(options), read_only=True)
    try:
        return _RUN[options.action](file, options, stdout, find)
    finally:
        file.close()


def _copied(options: Options, stdout: TextIO) -> int:
    """Back up or restore.

    :raise StoreUnavailable: one of the files can't be read, or not be written; nothing was changed.
    :raise ConfigurationError: there is no key.
    """
    from ctiex.stores.copying import back_up, restore

    if options.action == "backup":
        back_up(options.file, options.other_file)
        say(f"{options.other_file}: a copy of {options.file}", stdout)
        return 0
    kept = restore(options.file, options.other_file, _seal(options))
    say(f"{options.file}: restored from {options.other_file}", stdout)
    for line in _counted(kept.calls, kept.events):
        say(line, stdout)
    return 0


def _seal(options: Options) -> Seal:
    from ctiex.stores.sealing import Seal, find_key

    return Seal(find_key(Path(options["key-file"] or f"{options.file}.key"), make=False))


# ---------------------------------------------------------------- show and check


def _show(file: SqliteFile, options: Options, stdout: TextIO, find: Finder) -> int:
    kept = file.read()
    say(f"{options.file}: schema version {file.version}", stdout)
    for line in (*_sizes(options.file), *_counted(kept.calls, kept.events), *_metadata_lines(kept.metadata)):
        say(line, stdout)
    return 0


def _sizes(path: Path) -> Iterator[str]:
    for name in (path, Path(f"{path}-wal")):
        if name.exists():
            yield f"{name.name}: {name.stat().st_size:,} bytes"


def _counted(calls: Iterable[Call], events: Iterable[StoredEvent]) -> Iterator[str]:
    states = Counter(call.state for call in calls)
    yield f"calls: {states.total():,}"
    yield from (f"  {state.value}: {states[state]:,}" for state in CallState if states[state])
    waiting = Counter(event.agent for event in events)
    yield f"waiting events: {waiting.total():,}, of {len(waiting):,} agents"
    yield from (f"  agent {agent}: {count:,}" for agent, count in waiting.most_common(_MOST_AGENTS))
    if len(waiting) > _MOST_AGENTS:
        yield f"  and {len(waiting) - _MOST_AGENTS:,} more agents"


def _metadata_lines(metadata: Mapping[str, str]) -> Iterator[str]:
    brought = Counter(value for name, value in metadata.items() if is_number_label(name))
    yield from (f"agent numbers registered by {identity}: {count:,}" for identity, count in brought.most_common())
    shown = sorted(name for name in metadata if not is_number_label(name) and name != KEY_LABEL)
    yield from (f"{name}: {metadata[name]}" for name in shown)


def _check(file: SqliteFile, options: Options, stdout: TextIO, find: Finder) -> int:
    wrong = file.check()
    for sentence in wrong:
        say(f"{options.file}: {sentence}", stdout)
    if not wrong:
        say(f"{options.file}: ok", stdout)
    return 1 if wrong else 0


# ---------------------------------------------------------------- export


def _export(file: SqliteFile, options: Options, stdout: TextIO, find: Finder) -> int:
    kept = file.read()
    lines = _Lines(
        _codec(kept.metadata, IVR_CODEC, find),
        _codec(kept.metadata, AGENT_CODEC, find),
        bool(options["show-values"]),
        options.masked(find),
    )
    for record in (*map(lines.call, kept.calls), *map(lines.event, kept.events)):
        say(json.dumps(record, ensure_ascii=False), stdout)
    return 0


def _codec(metadata: Mapping[str, str], name: str, find: Finder) -> ICodec:
    """The codec that the bodies in the store are encoded with."""
    codec: ICodec = find(ICodecPlugin, metadata.get(name, "binary")).build()
    return codec


@frozen
class _Lines:
    """Turns records into what JSON can hold, secrets masked."""

    calls: ICodec
    events: ICodec
    show_values: bool
    secret: frozenset[str]

    def call(self, call: Call) -> dict[str, Any]:
        return {
            "record": "call",
            "serial": call.serial,
            "state": call.state.value,
            "agent": call.agent,
            "service": call.service,
            "identity": call.identity,
            "owner": call.owner,
            "deadline": call.deadline,
            "told": sorted(call.told),
            "event_ids": sorted(call.reports),
            "begun": call.begun,
            "since": call.since,
            "ended_as": call.ended_as,
            "changed": call.changed,
            "reference": call.reference,
            "calling_number": call.calling_number if self.show_values or not call.calling_number else MASK,
            "fields": self._shown(self._data(call)),
        }

    def _data(self, call: Call) -> Fields:
        if not call.data:  # wiped when it was closed
            return EMPTY
        fields: Fields = _decoded(self.calls, DataResult, call.data, f"call {call.serial}").fields
        return fields

    def event(self, event: StoredEvent) -> dict[str, Any]:
        message = _decoded(self.events, AgentEvent, event.body, f"event {event.sequence} of agent {event.agent}")
        return {
            "record": "event",
            "agent": event.agent,
            "sequence": event.sequence,
            "expires": event.expires,
            "time": message.time,
            "serial": message.serial,
            "reference": message.reference,
            "condition": int(message.condition),
            "status": int(message.status),
            "fields": self._shown(message.fields),
        }

    def _shown(self, fields: Fields) -> dict[str, Any]:
        return {
            name: value_to_json(value) if self.show_values and name not in self.secret else MASK
            for name, value in fields.items()
        }


def _decoded(codec: ICodec, kind: type[Message], body: bytes, where: str) -> Any:
    """The message of a stored body.

    :raise StoreUnavailable: it isn't a message of this codec.
    """
    decoder = codec.decoder(_LONGEST)
    try:
        decoder.receive(codec.frame(KIND_OF[kind], 0, body))
        return codec.decode_body(next(decoder.frames()))
    except (CodecError, StopIteration) as error:
        raise StoreUnavailable(f"{where} can't be decoded by the codec {codec.name}: {error}") from None


_RUN: dict[str, Callable[[SqliteFile, Options, TextIO, Finder], int]] = {
    "show": _show,
    "check": _check,
    "export": _export,
}
