"""Runs a service to its end over a scripted customer."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from ctiex.fields import Fields, Value
from ctiex.messages import Condition
from ctiex.services import Outcome, Service
from ctiex.testing.media import ScriptedMedia

quick = settings(deadline=None)
T = TypeVar("T")
keys = st.lists(st.text("0123456789*#", max_size=4), max_size=12)
Results = dict[str, Value]


class ServiceTestCase(SynchronousTestCase):
    """Runs a service to its end: nothing of it waits."""

    def result_of(self, work: Coroutine[Any, Any, T]) -> T:
        result: T = self.successResultOf(ensureDeferred(work))
        return result

    def serve(
        self, service: Service, fields: Results, typed: list[str], hang_up_after: int | None = None
    ) -> tuple[Outcome, ScriptedMedia, list[Results]]:
        """The outcome, the media with its transcript, and the progress that was reported."""
        media = ScriptedMedia(typed, hang_up_after)
        progress: list[Results] = []

        async def report(fields: Fields) -> None:
            progress.append(dict(fields))

        return self.result_of(service.serve(Fields(fields), media, report)), media, progress

    def assert_failed(self, service: Service, fields: Results, reason: str) -> None:
        outcome, media, progress = self.serve(service, fields, ["1", "2"])
        self.assertIs(outcome.condition, Condition.FAILED)
        self.assertEqual(list(outcome.fields), ["reason"])
        self.assertIn(reason, outcome.fields.text("reason"))
        self.assertEqual((media.transcript, progress), ([], []), "the customer heard something")

    def assert_abandoned_anywhere(self, service: Service, fields: Results, typed: list[str]) -> list[Results]:
        """Hang up after every number of actions but the last; gives the results in order."""
        _, whole, _ = self.serve(service, fields, typed)
        results = []
        for actions in range(len(whole.transcript)):
            outcome, media, _ = self.serve(service, fields, typed, actions)
            self.assertIs(outcome.condition, Condition.ABANDONED)
            self.assertEqual(media.transcript, [*whole.transcript[:actions], "hangs up"])
            results.append(dict(outcome.fields))
        return results
