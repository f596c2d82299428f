"""Media without a telephone: a customer out of a script, and one who sits at the terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal

from attrs import define, field
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from ctiex.errors import CallerHungUp
from ctiex.interfaces import IMedia
from ctiex.visible import visible


@implementer(IMedia)
class ScriptedMedia:
    """A customer who types by a script and maybe hangs up; for tests and demonstrations.

    ``transcript`` tells what they heard, a line for each action. What they typed stands there as
    so many asterisks, since it may be a password.
    """

    def __init__(
        self,
        typed: Iterable[str] = (),
        hang_up_after: int | None = None,
        pace: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """
        :param typed: what they type at each question, ``""`` for nothing; nothing once it is used up.
        :param hang_up_after: how many actions they stay for; None to stay to the end.
        :param pace: waited for before each action; None for no wait.
        """
        self._typed = iter(tuple(typed))
        self._actions_left = hang_up_after
        self._pace = pace
        self.transcript: list[str] = []

    async def play(self, prompt: str) -> None:
        """Note that the prompt was played."""
        await self._act(f"play {prompt}")

    async def say_digits(self, digits: str) -> None:
        """Note the digits."""
        await self._act(f"say {' '.join(digits)}")

    async def say_amount(self, amount: Decimal, currency: str) -> None:
        """Note the amount."""
        await self._act(f"say {amount:f} {currency}")

    async def collect_digits(self, prompt: str, count: int, timeout: float) -> str:
        """Type the next of the script, at once; no more of it than a telephone would take."""
        await self._act(f"ask {prompt}")
        digits = _up_to_end(next(self._typed, ""), count)
        self.transcript[-1] += f": {'*' * len(digits) or 'nothing'}"
        return digits

    async def play_video(self, file: str) -> None:
        """Note that the video was shown."""
        await self._act(f"show {file}")

    async def _act(self, line: str) -> None:
        if self._pace is not None:
            await self._pace()
        if self._actions_left == 0:
            if self.transcript[-1:] != ["hangs up"]:
                self.transcript.append("hangs up")
            raise CallerHungUp("the customer of the script has hung up")
        if self._actions_left is not None:
            self._actions_left -= 1
        self.transcript.append(line)


@implementer(IMedia)
@define(eq=False)
class TerminalMedia:
    """A person at a terminal plays the customer: prompts are written out, keys typed as lines.

    The terminal shows what is typed, and the line is all it gets: type no password that is used elsewhere.
    """

    _read_line: Callable[[], Deferred[str]]
    """Gives the next line without its end; fails with CallerHungUp once there are no more."""
    _write: Callable[[str], None]
    """Takes text for the person to read."""
    _clock: IReactorTime
    """For the time-outs."""
    _left: bool = field(default=False, init=False)

    async def play(self, prompt: str) -> None:
        """Write the prompt's name."""
        self._tell(f"[prompt: {prompt}]")

    async def say_digits(self, digits: str) -> None:
        """Write the digits, spaced."""
        self._tell(f'"{" ".join(digits)}"')

    async def say_amount(self, amount: Decimal, currency: str) -> None:
        """Write the amount."""
        self._tell(f'"{amount:f} {currency}"')

    async def collect_digits(self, prompt: str, count: int, timeout: float) -> str:
        """Ask for a line and give its digits; nothing if none comes in time.

        A line comes whole, so the time for it is ``timeout`` for each of the digits.
        """
        self._tell(f"[prompt: {prompt}] {'one digit' if count == 1 else f'up to {count} digits'}, then Enter: ", end="")
        line = self._read_line()
        line.addTimeout(timeout * max(1, count), self._clock)
        try:
            return _up_to_end(await line, count)
        except TimeoutError:
            self._write("(nothing typed)\n")
            return ""
        except CallerHungUp:
            self._left = True
            raise

    async def play_video(self, file: str) -> None:
        """Write the file's name."""
        self._tell(f"[video: {file}]")

    def _tell(self, text: str, end: str = "\n") -> None:
        if self._left:
            raise CallerHungUp("nobody is at the terminal any more")
        self._write(visible(text) + end)


def _up_to_end(typed: str, count: int) -> str:
    """The keys before ``#``, at most ``count``: digits and ``*`` alone, as on a telephone."""
    return "".join([key for key in typed.partition("#")[0] if key in "0123456789*"][:count])
