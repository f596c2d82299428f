"""A customer for tests of automatic services, and what any medium keeps to."""

from __future__ import annotations

from decimal import Decimal

from zope.interface.verify import verifyObject

from ctiex.errors import CallerHungUp
from ctiex.interfaces import IMedia
from ctiex.services.media import ScriptedMedia

__all__ = ["MediaContract", "ScriptedMedia"]


class MediaContract:
    """Tests of :class:`ctiex.interfaces.IMedia`, before ``TestCase`` of trial in the bases.

    Give both ``make_`` methods.
    """

    def make_media(self, typed: str) -> IMedia:
        """The channel to a customer who types this, and a ``#``, at the first question."""
        raise NotImplementedError

    def make_left_media(self) -> IMedia:
        """The channel to a customer who has hung up already."""
        raise NotImplementedError

    def test_it_provides_the_interface(self) -> None:
        assert verifyObject(IMedia, self.make_media(""))

    async def test_it_does_all_of_its_actions(self) -> None:
        media = self.make_media("2")
        await media.play("number-is")
        await media.say_digits("13800138000")
        await media.say_amount(Decimal("12.50"), "EUR")
        await media.play_video("welcome.mp4")
        assert await media.collect_digits("again-or-satisfied", 1, 0.5) == "2"

    async def test_it_takes_no_more_digits_than_were_asked_for(self) -> None:
        assert await self.make_media("123456").collect_digits("enter-password", 4, 0.5) == "1234"

    async def test_it_stops_at_the_hash(self) -> None:
        assert await self.make_media("12").collect_digits("enter-password", 20, 0.5) == "12"

    async def test_every_action_tells_that_the_customer_left(self) -> None:
        media = self.make_left_media()
        for action in (
            lambda: media.play("number-is"),
            lambda: media.say_digits("1"),
            lambda: media.say_amount(Decimal(1), "EUR"),
            lambda: media.collect_digits("again-or-satisfied", 1, 0.5),
            lambda: media.play_video("welcome.mp4"),
        ):
            try:
                await action()
            except CallerHungUp:
                continue
            raise AssertionError("an action went on without the customer")
