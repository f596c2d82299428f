"""Keyed digests: they tell a repeat from something else, and nobody without the key can guess what they stand for."""

from __future__ import annotations

from hashlib import blake2b

from attrs import field, frozen

from ctiex.field_values import WrittenDecimal
from ctiex.fields import Fields
from ctiex.messages import ConnectRequest, ServiceEvent
from ctiex.records import DIGEST_SIZE

KEY_LABEL = "digest key"
"""Under this name a store keeps the key, in hexadecimal digits."""
KEY_SIZE = 32


@frozen
class Digests:
    """Digests under one key, which the store keeps: a repeat may come after a restart."""

    key: bytes = field(repr=False)
    _begun: blake2b = field(init=False, repr=False, eq=False)

    @_begun.default
    def _with_the_key(self) -> blake2b:
        return blake2b(key=self.key, digest_size=DIGEST_SIZE)

    def of_request(self, request: ConnectRequest) -> bytes:
        """What a repeat of the request has in common with it, and any other use of its serial has not."""
        named = request.agent, request.service, request.calling_number, request.reference
        return self._digest((*named, *_ordered(request.fields)))

    def of_report(self, event: ServiceEvent) -> bytes:
        """What a repeat of a report has in common with it, and any other report under its event_id has not."""
        return self._digest((int(event.condition), *_ordered(event.fields)))

    def _digest(self, parts: tuple[object, ...]) -> bytes:
        # Python writes no two tuples of texts, numbers and bytes alike, and it is by far the fastest that does so. Not
        # by repr: that leaves another Python's letters as they are, and a repeat may come behind an upgrade.
        digest = self._begun.copy()  # to begin with a key costs as much as all that follows
        digest.update(ascii(parts).encode())
        return digest.digest()


def _ordered(fields: Fields) -> list[object]:
    """Names and values, in the order of the names; a decimal in the way that it was written."""
    return [
        (name, ("written", value.written) if type(value) is WrittenDecimal else value)
        for name, value in sorted(fields.items())
    ]
