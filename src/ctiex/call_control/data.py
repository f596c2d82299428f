"""The data of calls (attached data): kept in the store with its version, changed by compare-and-set."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator

from attrs import define

from ctiex.call_control.calls import AgentCall
from ctiex.call_messages import CallData
from ctiex.errors import CallError, CodecError, Status
from ctiex.fields import Fields, Value
from ctiex.interfaces import ICodec, decoded
from ctiex.messages import KIND_OF
from ctiex.records import Change

_LABEL = "data of call "
"""Under a name that begins so the store keeps the data of a call."""
_MASKED = "***"


@define
class KeptData:
    """What the store has of a call."""

    serial: str
    related: str
    version: int
    fields: Fields


def masked(fields: Fields, secret: Collection[str]) -> Fields:
    """The data as it is shown to those who don't have the call."""
    if not any(name in secret for name in fields):
        return fields
    shown: dict[str, Value] = {name: _MASKED if name in secret else value for name, value in fields.items()}
    return Fields.trusted(shown)


def put_over(fields: Fields, new: Fields, drop: Collection[str] = ()) -> Fields:
    """Fields with others put over them, and without those to drop."""
    kept: dict[str, Value] = {name: value for name, value in fields.items() if name not in drop}
    return Fields.trusted({**kept, **dict(new.items())})


def checked(call: AgentCall, message: CallData, most: int) -> Fields:
    """The data as a CallData would have it.

    :raise CallError: 22, it was changed meanwhile; 36, more fields than are ever allowed.
    """
    if message.version != call.version:
        raise CallError(Status.DUPLICATE_SERIAL, "the data is of another version")
    fields = put_over(call.fields, message.fields, [one.name for one in message.drop])
    if len(fields) > most:
        raise CallError(Status.MORE_THAN_ALLOWED)
    return fields


def kept(call: AgentCall, version: int, fields: Fields, codec: ICodec) -> Change:
    """What the store is to keep of a call."""
    body = codec.encode_body(CallData("", call.id, version, fields))
    told = {"serial": call.serial, "related": call.related, "body": b64encode(body).decode()}
    return Change(metadata=((_LABEL + call.id, json.dumps(told)),))


def forgotten(call: AgentCall) -> Change:
    """What the store is to forget when a call is over."""
    return Change(removed=(_LABEL + call.id,))


def read(kept: Collection[tuple[str, str]], codec: ICodec) -> Iterator[tuple[str, KeptData]]:
    """What a store has of calls, by their ids; what can't be read is left out."""
    for name, value in kept:
        try:
            told = json.loads(value)
            message = decoded(codec, KIND_OF[CallData], b64decode(told["body"]))
            assert isinstance(message, CallData)
            data = KeptData(told["serial"], told["related"], message.version, message.fields)
        except (ValueError, KeyError, TypeError, CodecError):
            continue
        yield name.removeprefix(_LABEL), data


LABEL = _LABEL
