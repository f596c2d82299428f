"""Places where a secret could show, one by one: reprs, the key's file, the terminal; and the search for them."""

from __future__ import annotations

import json
import pkgutil
from base64 import b64encode
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import ctiex
from ctiex.app.commands.agent_words import describe, read_fields
from ctiex.errors import FieldError
from ctiex.fields import Fields
from ctiex.file_modes import wide_mode
from ctiex.messages import AgentEvent, Condition
from ctiex.stores.sealing import find_key

from .marker_search import Marker, Markers, found_in


def _leaks(marker: Marker) -> Iterator[bytes]:
    """The ways in which a value may get out."""
    value = marker.value
    data = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else marker.core
    yield from (data, data.hex().encode(), data.hex().upper().encode(), b64encode(data))
    yield from (repr(value).encode(), json.dumps({"a": str(value)}).encode())
    if isinstance(value, str):
        yield from (value.encode("utf-16"), value.encode("utf-16-be"))


class SearchTests(SynchronousTestCase):
    """A search that finds nothing would let every other test pass."""

    @settings(deadline=None, max_examples=25)
    @given(st.integers(0, 2**32), st.binary(max_size=4), st.binary(max_size=4))
    def test_a_marker_is_found_in_every_form_it_may_take(self, seed: int, before: bytes, behind: bytes) -> None:
        markers = Markers(Random(seed))
        markers.text("text"), markers.integer("integer"), markers.data("bytes")
        for marker in markers.made:
            for leak in _leaks(marker):
                self.assertEqual(
                    found_in({"it": before + leak + behind}, [marker]), [f"the {marker.place} stands in it"]
                )
            if isinstance(marker.value, (str, bytes)):
                data = marker.value.encode() if isinstance(marker.value, str) else marker.value
                self.assertTrue(found_in({"it": b64encode(before + data + behind)}, [marker]))

    @settings(deadline=None, max_examples=25)
    @given(st.integers(0, 2**32))
    def test_it_is_not_found_where_it_is_not(self, seed: int) -> None:
        markers, others = Markers(Random(seed)), Markers(Random(seed + 1))
        markers.text("text"), markers.integer("integer"), markers.data("bytes")
        others.text("text"), others.integer("integer"), others.data("bytes")
        texts = {str(index): leak for index, other in enumerate(others.made) for leak in _leaks(other)}
        self.assertEqual(found_in(texts, markers.made), [])


class ReprTests(SynchronousTestCase):
    """A repr may end in any log."""

    def test_no_class_shows_what_may_be_secret(self) -> None:
        shown = [
            f"{made.__module__}.{made.__qualname__}.{attribute.name}"
            for module in (import_module(found.name) for found in pkgutil.walk_packages(ctiex.__path__, "ctiex."))
            for made in vars(module).values()
            if isinstance(made, type) and attrs.has(made) and not made.__module__.startswith("ctiex.testing.")
            for attribute in attrs.fields(made)
            if attribute.name.lstrip("_") in _SECRET_ATTRIBUTES and attribute.repr
        ]
        self.assertEqual(sorted(set(shown)), [])


_SECRET_ATTRIBUTES = {"secret_hash", "digest", "data", "body", "salt", "remembered"}
"""Names of attributes that hold values, secrets or what they can be guessed from."""


class KeyFileTests(SynchronousTestCase):
    """The file with the store's key."""

    def test_one_that_everybody_can_read_is_told(self) -> None:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "key"
            find_key(file, make=True, environment={})
            self.assertIsNone(wide_mode(file))
            file.chmod(0o644)
            self.assertEqual(wide_mode(file), "every user of this machine")


class TerminalTests(SynchronousTestCase):
    """What an agent's terminal shows."""

    def test_a_word_that_is_no_field_is_not_repeated(self) -> None:
        for word in ("246810", "pin:=24681x", "=246810", ":=246810"):
            error = self.assertRaises(FieldError, read_fields, ["a=1", word])
            self.assertNotIn("2468", str(error))
            self.assertRegex(str(error), "field (2|'pin'): expected ")

    def test_named_fields_of_an_event_are_masked(self) -> None:
        event = AgentEvent(1, 0, "1001", "7", "", Condition.COMPLETED, 0, Fields({"ticket": "T-1", "score": 5}))
        self.assertEqual(describe(event, {"ticket"}), "event 1, call 7: completed: ticket=***, score=5")
