"""Reads telephone numbers out and asks whether the customer is satisfied [0052, 0063, 0065]."""

from __future__ import annotations

import re

from attrs import define

from ctiex.errors import FieldError
from ctiex.fields import Fields
from ctiex.interfaces import IMedia
from ctiex.services import prompts as names
from ctiex.services.outcome import Outcome, Report, failed, result, served
from ctiex.services.prompts import Prompts, ask, limit

_DEFAULT_REPEATS, _MOST_REPEATS = 3, 10
_MOST_NUMBERS = 10
_PUNCTUATION = str.maketrans("", "", " -.()/")
_NUMBER = re.compile(r"\+?[0-9]{1,20}")
_AGAIN, _SATISFACTION = "1", {"2": "yes", "3": "no"}


@define
class _Tally:
    """What was done so far."""

    times: int = 0
    satisfaction: str = "unanswered"

    def fields(self) -> Fields:
        return result(times_broadcast=self.times, satisfied=self.satisfaction == "yes", satisfaction=self.satisfaction)


class NumberBroadcast:
    """Telephone number broadcasting.

    Takes ``number`` (text: one number, or several with commas between; an integer will do), and optionally
    ``repeats`` (integer, 1 to 10: how often it is read out at most, 3 where it is missing), ``customer_type``
    and ``language`` (text: variants of the prompts).

    Gives ``times_broadcast`` (integer: how often it was read out to the end), ``satisfaction`` (text: ``yes``,
    ``no``, ``unanswered``) and ``satisfied`` (boolean: ``yes`` was answered); or FAILED with ``reason`` (text).
    """

    name = "number-broadcast"

    async def serve(self, fields: Fields, media: IMedia, report: Report | None = None) -> Outcome:
        """Serve one customer; ``report`` hears ``times_broadcast`` after each time."""
        try:
            numbers = telephone_numbers(fields)
            most = limit(fields, "repeats", _DEFAULT_REPEATS, _MOST_REPEATS)
        except FieldError as error:
            return failed(str(error))
        tally = _Tally()
        prompts = Prompts.of(fields, "customer_type", "language")
        return await served(_broadcast(numbers, most, tally, media, prompts, report), tally.fields)


def telephone_numbers(fields: Fields) -> list[str]:
    """The numbers in the field ``number``, in digits with an optional ``+`` ahead.

    :raise FieldError: no numbers, too many, or one isn't a telephone number.
    """
    value = fields.get("number", "")
    text = str(value) if type(value) is int and value >= 0 else fields.text("number")
    numbers = [number.translate(_PUNCTUATION) for number in text.replace(";", ",").split(",")]
    if not 1 <= len(numbers) <= _MOST_NUMBERS or not all(map(_NUMBER.fullmatch, numbers)):
        raise FieldError(
            f"field 'number': expected 1 to {_MOST_NUMBERS} telephone numbers of 1 to 20 digits, separated by commas"
        )
    return numbers


async def _broadcast(
    numbers: list[str], most: int, tally: _Tally, media: IMedia, prompts: Prompts, report: Report | None
) -> None:
    answer = _AGAIN
    while answer == _AGAIN and tally.times < most:
        await _read_out(numbers, media, prompts)
        tally.times += 1
        if report is not None:
            await report(result(times_broadcast=tally.times))
        more = tally.times < most
        question = names.AGAIN_OR_SATISFIED if more else names.SATISFIED
        answer = await ask(media, prompts, question, {*_SATISFACTION, _AGAIN} if more else _SATISFACTION)
    tally.satisfaction = _SATISFACTION.get(answer, "unanswered")
    await media.play(prompts.name(names.BACK_TO_AGENT))


async def _read_out(numbers: list[str], media: IMedia, prompts: Prompts) -> None:
    for position, number in enumerate(numbers):
        await media.play(prompts.name(names.NEXT_NUMBER if position else names.NUMBER_IS))
        if number.startswith("+"):
            await media.play(prompts.name(names.PLUS))
        await media.say_digits(number.lstrip("+"))
