"""The simulation isn't blind: faults that were mended are found when they are planted again."""

from __future__ import annotations

import re

import pytest

from .planted_faults import PLANTED, Planted, found, walks

SEED = 2


@pytest.mark.gate
@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_planted_fault_is_found_within_a_thousand_calls(planted: Planted) -> None:
    outcome = found(planted, SEED)
    assert outcome is not None, planted.what
    assert outcome.counts["customers"] <= 1_000
    assert outcome.broken is not None and re.search(planted.breaks, outcome.broken), outcome.broken


def test_without_a_fault_the_walks_of_asterisks_driver_find_nothing() -> None:
    outcomes = list(walks(SEED, 1_000))
    assert outcomes[-1].counts["customers"] > 900
    assert [outcome.broken for outcome in outcomes if outcome.broken is not None] == []
