"""The exchange is killed at any moment, again and again, under load: everything acknowledged is accounted for."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

import pytest
from twisted.trial.unittest import SynchronousTestCase

from ctiex.messages import Condition
from ctiex.records import EPOCH, CallState

from .kill_account import Account
from .kill_exchange import DurableExchange, has_done, has_noted, kept_in, let_end, running_load
from .kill_load import AGENTS

ROUNDS = int(os.environ.get("CTIEX_KILL_ROUNDS", "4"))
SEED = int(os.environ.get("CTIEX_KILL_SEED", "3"))


class KillTests(SynchronousTestCase):
    """SIGKILL at random moments, and a restart on the same file and ports."""

    def killed_in_rounds(self, exchange: DurableExchange, random: Random) -> list[float]:
        """Kill it while it works, or one time in five while it starts; the moments."""
        moments = []
        for _ in range(ROUNDS):
            exchange.start()
            if random.random() < 0.2:
                time.sleep(random.uniform(0, 0.8))
            else:
                exchange.wait()
                time.sleep(random.uniform(0, 1.2))
            moments.append(exchange.kill())
        return moments

    def started(self) -> tuple[Path, DurableExchange]:
        """An exchange that listens, and the folder of its store."""
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        directory = Path(temporary.name)
        exchange = DurableExchange(directory)
        self.addCleanup(exchange.stop)
        exchange.start()
        exchange.wait()
        return directory, exchange

    def test_everything_acknowledged_is_accounted_for(self) -> None:
        directory, exchange = self.started()
        with running_load(exchange, directory, SEED) as load:
            has_done(directory, 200)
            first = exchange.kill()
            moments = [first, *self.killed_in_rounds(exchange, Random(SEED))]
            last = exchange.start()
            exchange.wait()
            account = let_end(load, directory)
        last.send_signal(signal.SIGTERM)
        self.assertEqual(last.ends(), 0)
        kept = kept_in(directory)
        self.report(account, moments)
        self.assertEqual((account.lost, account.swallowed, account.doubled, account.wrong), ([], [], [], []))
        self.assertEqual(account.epochs, [int(kept.metadata[EPOCH])], "the store has kept everything")
        self.assertEqual({call.state for call in kept.calls}, {CallState.CLOSED})
        self.assertEqual(kept.events, ())
        self.assertEqual(exchange.complaints(), [])
        self.assertGreater(account.across(moments), len(moments), "the kills met hardly any call")

    @pytest.mark.gate
    def test_a_copy_behind_a_kill_is_told_to_every_agent(self) -> None:
        """As ``sqlite3`` makes it of a running exchange: what came later is lost, and nobody misses it unknowingly."""
        directory, exchange = self.started()
        store, copy = directory / "calls.sqlite", directory / "copy.sqlite"
        with running_load(exchange, directory, SEED) as load:
            has_done(directory, 1_000)
            with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(copy)) as target:
                source.backup(target)
            has_done(directory, 600)
            killed = exchange.kill()
            Path(f"{store}-wal").unlink()
            copy.replace(store)
            last = exchange.start()
            exchange.wait()
            has_noted(directory, "gap", len(AGENTS))
            begun = time.time()  # nothing that is noted from now on was answered before the kill
            has_done(directory, 600)
            account = let_end(load, directory)
        last.send_signal(signal.SIGTERM)
        self.assertEqual(last.ends(), 0)
        self.report(account, [killed])
        self.assertEqual(Counter(line["agent"] for line in account.gaps), dict.fromkeys(AGENTS, 1), "no other gaps")
        self.assertEqual((len(account.epochs), account.missed), (2, []))
        self.assertEqual(account.epochs[1], int(kept_in(directory).metadata[EPOCH]))
        self.assertEqual((account.lost_since(begun), account.swallowed), ([], []))
        self.assertEqual((account.doubled, account.wrong), ([], []))
        self.assertEqual(exchange.complaints(), [])

    def report(self, account: Account, moments: Sequence[float]) -> None:
        """Print the figures of the run (``pytest -s`` shows them)."""
        ends = Counter(Condition(line["condition"]).name.lower() for line in account.finals)
        finals = sum(1 for line in account.reported if line["condition"])
        print(
            f"\nSIGKILLs {len(moments)}, calls in flight at each (median) {median(account.in_flight(moments)):.0f}, "
            f"calls acknowledged {len(account.kept)}, of them ended behind a kill {account.across(moments)}, "
            f"reports acknowledged {len(account.reported)}, of them final {finals}, events taken "
            f"{len(account.events)}, final {len(account.finals)} ({dict(ends)}), lost {len(account.lost)}, "
            f"doubled {len(account.doubled)}, wrong {len(account.wrong)}; trouble {dict(account.trouble)}"
        )
