"""What an exchange sees in a stream of bytes: where its frames are, and what ends the link, by the description."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from fuzz.speech import KIND_NAMED, LIMIT, Speech
from tests.wire_client import HEADER
from tests.wire_frames import VERSION


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What stands in an object once: a key that stands in it twice makes the line malformed, and says nothing."""
    counts = Counter(key for key, _ in pairs)
    return {key: value for key, value in pairs if counts[key] == 1}


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_JSON = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_int=lambda digits: int(digits[:30]))


@dataclass
class Seen:
    """What was seen."""

    asked: list[tuple[int, int]] = field(default_factory=list)
    """Kind and invoke id of every whole frame up to the end of the link; -1 where they can't be told."""
    ends_with: int | None = None
    """The status of the Error that the stream ends the link with."""
    missing: int = 0
    """Bytes that its last frame lacks."""


def seen_in(speech: Speech, data: bytes) -> Seen:
    """Look at a stream from the beginning of a frame on."""
    return _seen_binary(data) if speech.name == "binary" else _seen_json(data)


def healed(speech: Speech, data: bytes) -> tuple[bytes, Seen]:
    """The stream with what its last frame lacks, so that the next frame begins behind it."""
    seen = seen_in(speech, data)
    while seen.missing and seen.ends_with is None:
        data += b"\n" if speech.name == "json" else bytes(seen.missing)
        seen = seen_in(speech, data)
    return data, seen


def _seen_binary(data: bytes) -> Seen:
    seen, at, size = Seen(), 0, len(data)
    while at < size:
        if size - at < 4:
            seen.missing = 4 - (size - at)
            break
        length = int.from_bytes(data[at : at + 4], "big")
        if not 8 <= length <= LIMIT:
            seen.ends_with = 4 if length > LIMIT else 1
            break
        if size - at > 4 and data[at + 4] != VERSION:
            seen.ends_with = 3
            break
        if size - at < 4 + length:
            seen.missing = 4 + length - (size - at)
            break
        _, _, kind, _, invoke_id = HEADER.unpack_from(data, at)
        seen.asked.append((kind, invoke_id))
        at += 4 + length
    return seen


def _seen_json(data: bytes) -> Seen:
    seen = Seen()
    lines = data.split(b"\n")
    for line in lines[:-1]:
        if len(line) > LIMIT:
            seen.ends_with = 4
            return seen
        seen.asked.append(_head(line))
    seen.missing = 1 if lines[-1] else 0
    return seen


def _head(line: bytes) -> tuple[int, int]:
    """Kind and invoke id, which may be a number or the text of one."""
    try:
        said = _JSON.decode(line.decode())
    except (ValueError, RecursionError):
        return -1, 0
    if not isinstance(said, dict):
        return -1, 0
    name, invoke_id = said.get("kind"), said.get("id", 0)
    kind = KIND_NAMED.get(name, -1) if isinstance(name, str) else -1
    if isinstance(invoke_id, str) and re.fullmatch(r"-?[0-9]{1,20}", invoke_id, re.ASCII):
        invoke_id = int(invoke_id)
    return int(kind), invoke_id if type(invoke_id) is int else 0
