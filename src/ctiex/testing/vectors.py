"""Test vectors of the wire format, for clients in other languages.

``python -m ctiex.testing.vectors docs/vectors.json`` writes the file again:

``messages``
    every kind, in both codecs: the attributes, the bytes in hexadecimal, the line of JSON.
``json_variants``
    lines that mean the same as another, and aren't what the exchange would write.
``cases``
    what is malformed, or not in its place: on which link, in which state, what answers it, whether the link ends.
``dialogues``
    whole dialogues, frame by frame.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.interfaces import Extensions, ICodec
from ctiex.messages import KIND_OF, VERSION, Message
from ctiex.testing.wire.bad_frames import bad_frames
from ctiex.testing.wire.bad_lines import bad_lines
from ctiex.testing.wire.call_cases import call_cases
from ctiex.testing.wire.call_dialogues import CALL_DIALOGUES
from ctiex.testing.wire.cases import Case
from ctiex.testing.wire.dialogues import DIALOGUES, Dialogue
from ctiex.testing.wire.good import GOOD, VARIANTS, Good
from ctiex.testing.wire.good_calls import GOOD_CALLS
from ctiex.testing.wire.link_cases import link_cases

CASES: list[Case] = [*bad_frames(), *bad_lines(), *link_cases(), *call_cases()]


def vectors() -> dict[str, Any]:
    """All of them, as the file has them."""
    return {
        "version": VERSION,
        "messages": [_message(good) for good in [*GOOD, *GOOD_CALLS]],
        "json_variants": [{"name": one.name, "json": one.line, "same_as": one.same_as} for one in VARIANTS],
        "cases": [case.told() for case in CASES],
        "dialogues": [_dialogue(dialogue) for dialogue in [*DIALOGUES, *CALL_DIALOGUES]],
    }


def _message(good: Good) -> dict[str, Any]:
    return {
        "name": good.name,
        "kind": KIND_OF[type(good.message)],
        "type": type(good.message).__name__,
        "invoke_id": good.invoke_id,
        "message": json.loads(JsonCodec().encode_body(good.message)),
        "extensions": [[number, value.hex()] for number, value in good.extensions],
        **_written(good.message, good.invoke_id, good.extensions),
    }


def _written(message: Message, invoke_id: int, extensions: Extensions = ()) -> dict[str, str]:
    def frame(codec: ICodec) -> bytes:
        return codec.frame(KIND_OF[type(message)], invoke_id, codec.encode_body(message), extensions)

    return {"hex": frame(BinaryCodec()).hex(), "json": frame(JsonCodec()).decode().rstrip("\n")}


def _dialogue(dialogue: Dialogue) -> dict[str, Any]:
    steps = [
        {"link": step.role.name.lower(), "from": step.sender} | _written(step.message, step.invoke_id)
        for step in dialogue.steps
    ]
    return {"name": dialogue.name, "steps": steps}


def text() -> str:
    """The file's text."""
    return json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
