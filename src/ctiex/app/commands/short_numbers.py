"""Short numbers for the calls that a terminal shows, and which call is meant by what is typed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from ctiex.call_messages import Action
from ctiex.clients import ClientCall


class ShortNumbers:
    """The smallest number that is free, for each call as long as it goes on."""

    def __init__(self) -> None:
        self._calls: dict[int, ClientCall] = {}

    def __iter__(self) -> Iterator[tuple[int, ClientCall]]:
        return iter(sorted(self._calls.items()))

    def of(self, call: ClientCall) -> int:
        """The number of a call; it gets one where it has none."""
        known = next((number for number, other in self if other is call), None)
        if known is not None:
            return known
        number = next(number for number in count(1) if number not in self._calls)
        self._calls[number] = call
        return number

    def forget(self, call: ClientCall) -> None:
        """It is over, and its number is free."""
        self._calls = {number: other for number, other in self if other is not call}

    def get(self, word: str) -> ClientCall | None:
        """The call whose number this word is."""
        return self._calls.get(int(word)) if word.isascii() and word.isdigit() else None

    def expected(self) -> str:
        """Which ones there are, for people."""
        return ", ".join(str(number) for number, _ in self) or "none, there are no calls"

    def taken(self, words: list[str], least: int, most: int, action: Action | None) -> tuple[ClientCall, list[str]]:
        """The call that is meant, and the words that aren't its number.

        :param least: how many words there have to be beside the number.
        :param most: how many there may be.
        :param action: what is to be done: where no number is given, the call that allows it is meant.
        :raise ValueError: too many words, too few, or no call that could be meant.
        """
        named = self.get(words[0]) if len(words) > least else None
        rest = words if named is None else words[1:]
        if len(rest) == most + 1:
            raise ValueError(f"no call {rest[0]!r}, expected one of: {self.expected()}")
        if not least <= len(rest) <= most:
            raise ValueError("too few words" if len(rest) < least else "too many words")
        return named or self._only([call for _, call in self], action), rest

    def _only(self, calls: Sequence[ClientCall], action: Action | None) -> ClientCall:
        """The one that is meant where none is named.

        :raise ValueError: it might be another one, or there is none.
        """
        if not calls:
            raise ValueError("there is no call")
        allowing = [call for call in calls if action is not None and call.allows(action)] or list(calls)
        consultations = [call for call in allowing if call.related and self._is_pair(allowing)]
        if len(allowing) != 1 and not consultations:
            numbers = ", ".join(str(self.of(call)) for call in allowing)
            raise ValueError(f"which call? expected one of: {numbers}")
        return (consultations or allowing)[0]

    @staticmethod
    def _is_pair(calls: Sequence[ClientCall]) -> bool:
        """Whether these are a call and the consultation for it: what is done with both may be asked of either."""
        return len(calls) == 2 and {calls[0].related, calls[1].related} & {calls[0].id, calls[1].id} != set()
