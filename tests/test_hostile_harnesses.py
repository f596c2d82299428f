"""Every fuzzing harness over its corpus, without a fuzzing engine: what ``make fuzz`` begins with has to pass."""

from __future__ import annotations

import random
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from fuzz.engine import HARNESSES

_CORPUS = Path(__file__).resolve().parent.parent / "fuzz" / "corpus"
_MUTANTS = 20


def _mutants(data: bytes, rng: random.Random) -> list[bytes]:
    """The input itself, and some with a byte changed, taken out or put in."""
    made = [data]
    for _ in range(_MUTANTS if data else 0):
        at = rng.randrange(len(data))
        made.append(data[:at] + rng.randbytes(rng.randrange(3)) + data[at + 1 :])
    return made


class Harnesses(SynchronousTestCase):
    """None finds a broken promise in what it begins with, nor next to it."""

    def _try(self, name: str) -> None:
        harness, rng = import_module(f"fuzz.{name}").TestOneInput, random.Random(1)
        inputs = sorted((_CORPUS / name).iterdir())
        self.assertGreater(len(inputs), 8, "a corpus to begin with")
        for path in inputs:
            for data in _mutants(path.read_bytes(), rng):
                harness(data)

    def test_the_binary_codec(self) -> None:
        self._try("binary")

    def test_the_json_codec(self) -> None:
        self._try("json_codec")

    def test_the_session(self) -> None:
        self._try("session")

    def test_the_configuration(self) -> None:
        self._try("configuration")

    def test_every_harness_has_its_test(self) -> None:
        self.assertEqual(set(HARNESSES), {path.name for path in _CORPUS.iterdir()})
