"""Keyed digests: they tell a repeat from something else, and nobody without the key can guess what they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b

from attrs import define

from ctiex.field_values import decimal_text, milliseconds
from ctiex.fields import Fields, Value
from ctiex.messages import ConnectRequest, ServiceEvent
from ctiex.records import DIGEST_SIZE

KEY_LABEL = "digest key"
"""Under this name a store keeps the key, in hexadecimal digits."""
KEY_SIZE = 32


@define
class Digests:
    """Digests under one key, which the store keeps: a repeat may come after a restart."""

    key: bytes

    def of_request(self, request: ConnectRequest) -> bytes:
        """What a repeat of the request has in common with it, and any other use of its serial has not."""
        named = request.agent, request.service, request.calling_number, request.reference
        return self._digest((*map(str.encode, named), *_field_parts(request.fields)))

    def of_report(self, event: ServiceEvent) -> bytes:
        """What a repeat of a report has in common with it, and any other report under its event_id has not."""
        return self._digest((bytes([event.condition]), *_field_parts(event.fields)))

    def _digest(self, parts: Iterable[bytes]) -> bytes:
        digest = blake2b(key=self.key, digest_size=DIGEST_SIZE)
        for part in parts:
            digest.update(len(part).to_bytes(4) + part)
        return digest.digest()


def _field_parts(fields: Fields) -> Iterable[bytes]:
    for name in sorted(fields):
        value = fields[name]
        yield name.encode()
        yield type(value).__name__.encode()
        yield _written(value)


def _written(value: Value) -> bytes:
    match value:
        case bytes():
            return value
        case Decimal():
            return decimal_text(value).encode()
        case datetime():
            return str(milliseconds(value)).encode()
        case _:
            return str(value).encode()
