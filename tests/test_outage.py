"""What stops working is told once, and once more when it works again."""

from __future__ import annotations

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ctiex.outage import Outage, PeerOutage


class OutageTests(SynchronousTestCase):
    """A store, a file, a connection: whatever may work or not."""

    @given(st.lists(st.booleans()))
    def test_each_outage_is_told_at_its_begin_and_at_its_end_with_how_often_it_failed(self, works: list[bool]) -> None:
        told: list[object] = []
        outage = Outage(told.append, told.append)
        for number, well in enumerate(works):
            if well:
                outage.worked()
            else:
                outage.failed(f"reason {number}")
            self.assertEqual(outage.lasts, not well)
        expected: list[object] = []
        at = 0
        for well, same in groupby(works):
            length = len(list(same))
            if not well:
                expected.append(f"reason {at}")
                expected += [length] * (at + length < len(works))
            at += length
        self.assertEqual(told, expected)

    def test_what_goes_wrong_in_the_telling_changes_nothing(self) -> None:
        def fail(_: object) -> None:
            raise ValueError

        outage = Outage(fail, fail)
        self.assertRaises(ValueError, outage.failed, "x")
        outage.failed("y")
        self.assertEqual(outage.failures, 2)
        self.assertRaises(ValueError, outage.worked)
        outage.worked()
        self.assertFalse(outage.lasts)


class PeerOutageTests(SynchronousTestCase):
    """A peer that is asked again and again."""

    def test_each_reason_is_logged_once_in_an_outage_and_of_many_the_first_few(self) -> None:
        told: list[str] = []
        outage = PeerOutage(Logger(observer=lambda event: told.append(formatEvent(event))), "a peer")
        self.assertFalse(outage.worked())
        for _ in range(2):
            for reason in "abab":
                outage.failed(reason)
            self.assertTrue(outage.worked())
        self.assertEqual(told, ["a peer: a", "a peer: b"] * 2)
        for number in range(100):
            outage.failed(str(number))
        self.assertLess(len(told), 12)
