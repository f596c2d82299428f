"""The media themselves: the scripted customer, the one at the terminal, and the plugins."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import DeferredQueue, ensureDeferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ctiex.errors import CallerHungUp, ConfigurationError
from ctiex.interfaces import IMedia, IMediaPlugin
from ctiex.plugins import build_plugin
from ctiex.services.media import TerminalMedia
from ctiex.testing.media import MediaContract, ScriptedMedia

from .processes import finished, surroundings
from .service_case import quick


class ScriptedMediaTests(MediaContract, TestCase):
    """A customer out of a script."""

    def make_media(self, typed: str) -> IMedia:
        return ScriptedMedia([typed + "#"])

    def make_left_media(self) -> IMedia:
        return ScriptedMedia(hang_up_after=0)


class TerminalMediaContractTests(MediaContract, TestCase):
    """A customer at the terminal."""

    def make_media(self, typed: str) -> IMedia:
        return TerminalMedia(lambda: succeed(typed + "#"), lambda _: None, Clock())

    def make_left_media(self) -> IMedia:
        media = TerminalMedia(lambda: fail(CallerHungUp("gone")), lambda _: None, Clock())
        self.failureResultOf(ensureDeferred(media.collect_digits("again-or-satisfied", 1, 1)), CallerHungUp)
        return media


class TerminalMediaTests(SynchronousTestCase):
    """What the person at the terminal sees, and how long they have."""

    def setUp(self) -> None:
        self.lines: DeferredQueue[str] = DeferredQueue()
        self.written: list[str] = []
        self.clock = Clock()
        self.media = TerminalMedia(self.lines.get, self.written.append, self.clock)

    def test_it_writes_what_a_customer_would_hear(self) -> None:
        actions: tuple[Callable[[], Awaitable[None]], ...] = (
            lambda: self.media.play("number-is"),
            lambda: self.media.say_digits("114"),
            lambda: self.media.say_amount(Decimal("1E+2"), "EUR"),
            lambda: self.media.play_video("welcome.mp4"),
        )
        for action in actions:
            self.successResultOf(ensureDeferred(action()))  # type: ignore[arg-type]
        self.assertEqual(self.written, ["[prompt: number-is]\n", '"1 1 4"\n', '"100 EUR"\n', "[video: welcome.mp4]\n"])

    @given(st.text(max_size=12), st.integers(1, 8))
    @quick
    def test_a_line_gives_its_keys_up_to_the_hash(self, line: str, count: int) -> None:
        answer = ensureDeferred(self.media.collect_digits("enter-password", count, 5.0))
        self.lines.put(line)
        keys = "".join(key for key in line.split("#")[0] if key in "0123456789*")
        self.assertEqual(self.successResultOf(answer), keys[:count])

    def test_no_line_in_time_is_nothing_typed(self) -> None:
        answer = ensureDeferred(self.media.collect_digits("again-or-satisfied", 2, 5.0))
        self.clock.advance(9.9)
        self.assertNoResult(answer)
        self.clock.advance(0.2)
        self.assertEqual(self.successResultOf(answer), "")
        self.lines.put("2")
        again = ensureDeferred(self.media.collect_digits("again-or-satisfied", 2, 5.0))
        self.assertEqual(self.successResultOf(again), "2", "a time-out must not swallow the next line")
        self.assertEqual(self.clock.getDelayedCalls(), [])


class MediaPluginTests(SynchronousTestCase):
    """Media by name."""

    def test_a_script_can_be_configured(self) -> None:
        media = build_plugin(IMediaPlugin, "scripted", {"typed": ["42#"], "hang_up_after": 1}, Clock())
        self.assertEqual(self.successResultOf(ensureDeferred(media.collect_digits("x", 5, 1.0))), "42")
        self.failureResultOf(ensureDeferred(media.play("x")), CallerHungUp)

    def test_bad_settings_are_refused(self) -> None:
        bad: tuple[tuple[str, dict[str, Any], str], ...] = (
            ("scripted", {"typed": "12"}, 'typed: found "12", expected a list'),
            ("scripted", {"typed": [1]}, "typed[0]: found 1, expected text"),
            ("scripted", {"hang_up_after": -1}, "expected a number of actions, from 0"),
            ("scripted", {"hang_up_after": True}, "expected a number of actions, from 0"),
            ("scripted", {"type": []}, "type: found an unknown key, expected one of: hang_up_after, typed"),
            ("terminal", {"echo": True}, "echo: found an unknown key, expected none"),
        )
        for name, configured, expected in bad:
            error = self.assertRaises(ConfigurationError, build_plugin, IMediaPlugin, name, configured, Clock())
            self.assertIn(expected, str(error))


AT_THE_TERMINAL = """
import sys
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from ctiex.fields import Fields
from ctiex.plugins.built_in import terminal
from ctiex.services import BUILT_IN
from ctiex.settings import NoSettings

async def two_customers():
    for _ in range(2):
        media = terminal.build(NoSettings(), reactor)
        outcome = await BUILT_IN["number-broadcast"]().serve(Fields({"number": "114"}), media)
        print(outcome.condition.name, outcome.fields.describe(), file=sys.stderr)

ensureDeferred(two_customers()).addBoth(lambda _: reactor.stop())
reactor.run()
"""


class TerminalPluginTests(SynchronousTestCase):
    """A process whose standard input plays one customer after the other."""

    def test_the_lines_of_standard_input_are_what_customers_type(self) -> None:
        done = finished([sys.executable, "-c", AT_THE_TERMINAL], input="1\n2\n1\n", text=True, env=surroundings())
        self.assertEqual(
            done.stderr.splitlines(),
            [
                "COMPLETED times_broadcast=2, satisfied=true, satisfaction=yes",
                "ABANDONED times_broadcast=2, satisfied=false, satisfaction=unanswered",
            ],
        )
        self.assertEqual(done.stdout.count('"1 1 4"'), 4)
