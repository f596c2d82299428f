"""The demo's story of two desks, as a newcomer sees it."""

from __future__ import annotations

from io import StringIO

from twisted.trial.unittest import TestCase

from ctiex.app.commands.demo_desk import DeskStory
from ctiex.config.reading import load

ANY_PORT = "tcp:0:interface=127.0.0.1"


class DeskStoryTests(TestCase):
    """Over real TCP, with a simulated platform."""

    async def test_a_customer_is_answered_served_brought_back_and_handed_on_with_the_data(self) -> None:
        from twisted.internet import reactor

        told = StringIO()
        await DeskStory(reactor, told, load(None, ANY_PORT, ANY_PORT), "13800138000").run()
        lines = [" ".join(line.split()) for line in told.getvalue().splitlines()]
        shown = [line.split()[3] for line in lines if " is shown: " in line and line.startswith("1001")]
        steps = ["alerting", "established", "handed_over", "returned", "held", "transferred", "cleared"]
        remaining = iter(shown)
        self.assertTrue(all(step in remaining for step in steps), shown)
        [data] = [line for line in lines if line.startswith("1002 has the customer, with")]
        self.assertIn("account=1001, topic=bill, summary=2026-10", data)
