"""Hostile peers against the real process: each ends as it should, and a well-behaved pair notices nothing.

``CTIEX_HOSTILE_SCALE=4`` has four times as many of them, and crowds that are at work four times as long.
"""

from __future__ import annotations

import os

import pytest
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.hostile import run, show
from benchmarks.hostile_scenarios import SCENARIOS

pytestmark = pytest.mark.gate
_SCALE = float(os.environ.get("CTIEX_HOSTILE_SCALE", "1"))
_PATIENCE = 15.0
"""How many times as long as on a quiet machine the exchange may take to end somebody."""
_CROWDED = 4.0
"""How long a crowd is at work, in seconds."""


class HostilePeers(SynchronousTestCase):
    """Every bound of a kind of peer is held, in :mod:`benchmarks.hostile`; a row says which one wasn't."""

    def _meet(self, name: str, hand_offs: int = 10, share: float = 1.0) -> None:
        """:param share: of the peers that the scenario has by default."""
        row = run(name, int(SCENARIOS[name][1] * _SCALE * share), patience=_PATIENCE, crowded=_CROWDED * _SCALE)
        show(row)
        self.assertEqual(row.broken, [])
        self.assertGreaterEqual(row.pair.completed, hand_offs)

    @pytest.mark.long
    def test_a_byte_at_a_time_before_bind_ends_at_the_login_deadline(self) -> None:
        self._meet("slow-loris before Bind")

    def test_a_byte_at_a_time_when_bound_is_life_and_costs_little(self) -> None:
        self._meet("slow-loris when bound")

    def test_unfinished_frames_cost_what_the_frame_limit_says(self) -> None:
        self._meet("unfinished frames")

    def test_agents_that_ask_and_never_read_fill_their_own_buffers(self) -> None:
        self._meet("flood of agents")

    @pytest.mark.long
    def test_services_that_ask_and_never_read_fill_their_own_buffers(self) -> None:
        self._meet("flood of services")

    def test_links_whose_other_end_is_gone_without_a_word_are_ended(self) -> None:
        self._meet("half-open links")

    @pytest.mark.long
    def test_a_thousand_idle_connections(self) -> None:
        self._meet("idle connections", share=0.2)

    @pytest.mark.long
    def test_five_thousand_idle_connections(self) -> None:
        self._meet("idle connections")

    @pytest.mark.long
    def test_a_connect_storm(self) -> None:
        self._meet("connect storm", share=0.25)

    @pytest.mark.long
    def test_a_long_connect_storm(self) -> None:
        self._meet("connect storm")

    def test_a_crowd_of_one_identity_that_asks_has_one_share(self) -> None:
        self._meet("crowd that asks")

    @pytest.mark.long
    def test_a_crowd_of_one_identity_that_errs_has_one_share(self) -> None:
        self._meet("crowd that errs")

    def test_whoever_takes_all_connections_leaves_descriptors_for_others_and_for_the_exchange(self) -> None:
        self._meet("descriptors")

    @pytest.mark.long
    def test_calls_with_much_data_end_at_the_bytes_of_their_identity(self) -> None:
        self._meet("bytes held")
