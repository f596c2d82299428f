"""The gate runs everything once, and whatever fails, fails."""

from __future__ import annotations

import re
from configparser import ConfigParser

import pytest

from .processes import ROOT

SECOND_CHANCES = re.compile(
    r"--(last-failed|lf|failed-first|ff|reruns?|force-flaky|maxfail|retries)\b|rerunfailures|flaky|\|\| *true|set \+e"
)
"""What would run a test again, or let it fail."""


@pytest.mark.parametrize("file", [".ci/run", "Makefile", "setup.cfg", "pyproject.toml", "requirements/dev.txt"])
def test_nothing_that_failed_gets_a_second_chance(file: str) -> None:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if SECOND_CHANCES.search(line)] == []


def test_no_test_runs_itself_again_or_may_fail() -> None:
    marks = re.compile(r"mark\.(flaky|xfail|repeat)|\.todo = |expectedFailure\b")
    others = [path for path in (ROOT / "tests").rglob("*.py") if path.name != "test_gate.py"]
    assert [str(path) for path in others if marks.search(path.read_text(encoding="utf-8"))] == []


def test_the_gate_runs_each_of_its_parts_once() -> None:
    words = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    parts = [line.strip() for line in words if line.strip().startswith("make ")]
    assert parts == ["make check", "make test", "make test-gate", "make telephony"]


def test_make_test_leaves_out_what_runs_in_the_gate_what_is_long_and_what_needs_real_telephones_alone() -> None:
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    assert '-m "not telephony and not telephony_cti and not long and not gate"' in settings["tool:pytest"]["addopts"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^test: .*\n\t\$\(BIN\)/python -m pytest -n \$\(WORKERS\) \$\(TESTS\)$", makefile, re.M)
    assert re.search(r"^test-gate: .*\n\t\$\(BIN\)/python -m pytest .* -m \"gate and not long\"$", makefile, re.M)
