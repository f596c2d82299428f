"""The conformance kit: clients with a fault in how they come back, in what they take, or in what they ask again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from twisted.trial.unittest import SynchronousTestCase

from ctiex.codecs.binary import BinaryCodec
from ctiex.codecs.json import JsonCodec
from ctiex.errors import FrameTooLong
from ctiex.testing.conformance.pauses import judge
from ctiex.testing.conformance.raw_frames import of_length
from ctiex.testing.conformance.verdicts import Failed

from . import conformance_link_faults as links
from . import conformance_request_faults as requests
from .conformance_plays import FaultyCase

ALL_PAUSES = (
    "pauses", "pauses-bound", "pauses-bind-later", "pauses-unbind", "bind-refused", "bind-other-version",
    "unbind-refused",
)  # fmt: skip


@pytest.mark.gate
class ComingBackTests(FaultyCase):
    """How clients come back."""

    async def test_an_application_that_comes_back_at_once(self) -> None:
        await self.fails(links.ComesBackAtOnce, *ALL_PAUSES, beside={"usual", "cut"}, says="6 times again within")

    async def test_a_service_that_comes_back_at_once(self) -> None:
        await self.fails(
            links.ServiceThatComesBackAtOnce, *ALL_PAUSES, beside={"usual", "cut"}, says="6 times again within"
        )

    async def test_one_that_leaves_nothing_to_chance(self) -> None:
        await self.fails(
            links.LeavesNothingToChance, "pauses", beside={"usual", "bind-refused"}, says="without a random part"
        )


@pytest.mark.gate
class LinkFaultTests(FaultyCase):
    """What clients make of headers, limits and kinds."""

    async def test_one_that_closes_without_an_error(self) -> None:
        await self.fails(
            links.ClosesWithoutError,
            "other-version",
            "too-short",
            "too-long",
            beside={"usual", "malformed-frame"},
            says="said no Error 3",
        )

    async def test_one_that_stays_on_a_link_of_another_version(self) -> None:
        await self.fails(
            links.KeepsTheLinkOpen, "other-version", beside={"usual", "too-long"}, says="no end of the link"
        )

    async def test_one_that_takes_frames_as_long_as_by_default(self) -> None:
        await self.fails(
            links.HasItsOwnLimit, "too-long", "long-frame", beside={"usual", "other-version"}, says="no Error 4"
        )

    async def test_one_that_sends_frames_as_long_as_its_first_link_allowed(self) -> None:
        await self.fails(links.KeepsToTheFirstLimit, "shorter-frames", beside={"usual", "gap"}, says="limit is 2048")

    async def test_one_that_takes_0_for_a_limit(self) -> None:
        await self.fails(links.TakesZeroAtItsWord, "zeros", beside={"usual", "long-frame"}, says="left the link")

    async def test_one_that_knows_no_kinds_of_calls(self) -> None:
        await self.fails(
            links.KnowsNoKindsOfCalls, "kinds-of-calls", beside={"usual", "unknown-kind"}, says="not Error 5"
        )

    async def test_one_that_takes_events_under_any_id(self) -> None:
        await self.fails(
            links.TakesEventsUnderAnyId, "event-under-id", beside={"usual", "unknown-call"}, says="no Error 1"
        )

    async def test_an_application_that_asks_as_much_as_it_likes(self) -> None:
        await self.fails(
            links.AsksAsMuchAsItLikes, "updates-in-flight", beside={"usual", "doubled-events"}, says="two requests"
        )

    async def test_a_service_that_asks_as_much_as_it_likes(self) -> None:
        await self.fails(
            links.ServiceThatAsksAsMuchAsItLikes, "requests-in-flight", beside={"usual", "report-0"}, says="3 requests"
        )


@pytest.mark.gate
class RequestFaultTests(FaultyCase):
    """What clients ask again, when, and under which ids."""

    async def test_one_that_puts_a_lost_update_over_a_later_one(self) -> None:
        await self.fails(
            requests.UpdatesOutOfOrder, "update-lost", beside={"usual", "updates-in-flight"}, says="a later one"
        )

    async def test_one_that_cancels_once(self) -> None:
        await self.fails(requests.CancelsOnce, "cancel-lost", beside={"usual", "cut"}, says="no CancelRequest")

    async def test_one_that_takes_a_refusal_for_good_for_one_that_passes(self) -> None:
        await self.fails(requests.AsksAgainForEver, "never", beside={"usual", "busy"}, says="asked again")

    async def test_one_that_counts_its_reports(self) -> None:
        await self.fails(requests.CountsItsReports, "event-ids", beside={"usual", "report-0"}, says="1, 2, 3, 4")

    async def test_one_that_counts_them_for_each_call(self) -> None:
        await self.fails(requests.CountsThemForEachCall, "event-ids", beside={"usual", "report-0"}, says="from 1: 1, 2")

    async def test_one_that_fetches_at_once(self) -> None:
        await self.fails(
            requests.FetchesAtOnce, "data-14", "data-50", beside={"usual", "report-0"}, says="again and again"
        )


class JudgedPausesTests(SynchronousTestCase):
    """Which pauses are pauses, and have chance in them."""

    def instead(self, *pauses: float) -> str:
        """What is held against them; empty for nothing."""
        try:
            judge(pauses)
        except Failed as failed:
            return str(failed)
        return ""

    def test_none_are_no_pauses(self) -> None:
        for pauses in ([0.0] * 6, [0.01] * 6):
            self.assertIn("6 times again within", self.instead(*pauses))

    def test_the_same_and_twice_the_same_are_no_chance(self) -> None:
        for pauses in ([0.5] * 6, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2], [0.1, 0.3, 0.6, 1.0, 1.0, 1.0]):
            said = self.instead(*pauses)
            self.assertEqual("random" in said, pauses[1] != 0.3, pauses)

    def test_measured_times_are_never_quite_alike(self) -> None:
        self.assertIn("random", self.instead(0.502, 0.500, 0.501, 0.504, 0.500, 0.503))

    def test_chance_is_seen(self) -> None:
        chances: list[Sequence[float]] = [
            (0.21, 0.11, 0.30, 0.24, 0.27, 0.22),
            (0.5, 0.5, 0.5, 0.5, 0.5, 0.56),
            (0.0, 0.4, 0.1, 0.7, 0.9, 0.2),
            (0.9, 0.0, 0.0, 0.0, 0.0, 0.1),
        ]
        for pauses in chances:
            self.assertEqual(self.instead(*pauses), "")


class LongFrameTests(SynchronousTestCase):
    """Frames of a given length."""

    def test_they_have_it_and_are_pings(self) -> None:
        for codec in (BinaryCodec(), JsonCodec()):
            for length in (100, 2_048, 65_536, 200_000):
                with self.subTest(codec=codec.name, length=length):
                    decoder = codec.decoder(length)
                    decoder.receive(of_length(codec, length, 7))
                    (frame,) = decoder.frames()
                    self.assertEqual((type(codec.decode_body(frame)).__name__, frame.invoke_id), ("Ping", 7))
                    short = codec.decoder(length - 1)
                    short.receive(of_length(codec, length, 7))
                    self.assertRaises(FrameTooLong, list, short.frames())
