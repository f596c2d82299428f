"""The simulation isn't blind: faults that were mended are found when they are planted again."""

from __future__ import annotations

import re

import pytest

from .planted_faults import PLANTED, Planted, found

SEED = 2


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_planted_fault_is_found_within_a_thousand_calls(planted: Planted) -> None:
    outcome = found(planted, SEED)
    assert outcome is not None, planted.what
    assert outcome.broken is not None and re.search(planted.breaks, outcome.broken), outcome.broken
