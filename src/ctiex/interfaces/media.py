"""How a service talks to its customer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from twisted.internet.interfaces import IReactorTime
from zope.interface import Attribute, Interface


class IMedia(Interface):
    """The voice or video channel to one customer. Each call raises CallerHungUp once they left."""

    async def play(prompt: str) -> None:
        """Play a recorded prompt to its end, by name."""

    async def say_digits(digits: str) -> None:
        """Read out a string of digits, one at a time."""

    async def say_amount(amount: Decimal, currency: str) -> None:
        """Read out an amount of money; the currency by its code of ISO 4217."""

    async def collect_digits(prompt: str, count: int, timeout: float) -> str:
        """Play a prompt and collect up to ``count`` digits; ``#`` ends it early.

        :param timeout: how long to wait for the first digit and between two, in seconds.

        Returns what was typed, maybe nothing.
        """

    async def play_video(file: str) -> None:
        """Show a video file, or play its sound where the channel has no picture."""


class IMediaPlugin(Interface):
    """Finds a kind of media by name."""

    name: str = Attribute("What the configuration calls it: ``--media NAME``.")
    settings: type[Any] = Attribute("The frozen class that declares its keys, as in `ctiex.settings`.")

    def build(settings: Any, clock: IReactorTime) -> IMedia:
        """The channel to one customer.

        :param settings: an instance of ``settings``.
        """
