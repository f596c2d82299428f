"""Reads a bill out and gives the agent its summary [0052, 0063, 0065, 0069]."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol

from attrs import define, field, frozen

from ctiex.errors import FieldError
from ctiex.fields import Fields
from ctiex.interfaces import IMedia
from ctiex.services import prompts as names
from ctiex.services.outcome import Outcome, Report, failed, result, served
from ctiex.services.prompts import Prompts, ask, limit

_DEFAULT_REPEATS, _MOST_REPEATS = 3, 10
_SUMMARIZED_ITEMS, _SUMMARIZED_LABEL = 10, 60
_AGAIN, _RETURN = "1", "2"
LEVELS = ("items", "total")
"""How much is read out: every item, or the total alone."""


def _finite(_: object, __: object, items: Iterable[tuple[str, Decimal]]) -> None:
    for label, amount in items:
        if not amount.is_finite():
            raise ValueError(f"bill item {label!r}: {amount} isn't an amount of money")


@frozen
class Bill:
    """One account's bill for one period."""

    account: str
    period: str
    """As ``2026-10``."""
    currency: str
    """By its code of ISO 4217."""
    items: tuple[tuple[str, Decimal], ...] = field(validator=_finite, repr=False)
    """Label and amount of each item."""

    @property
    def total(self) -> Decimal:
        """The sum of all items."""
        return sum((amount for _, amount in self.items), Decimal(0))

    @property
    def summary(self) -> str:
        """One line for the agent: ``2026-10: 2 items, 21.50 EUR: basic fee 15.00, calls 6.50``."""
        count = len(self.items)
        shown = [f"{label[:_SUMMARIZED_LABEL]} {amount:f}" for label, amount in self.items[:_SUMMARIZED_ITEMS]]
        if count > _SUMMARIZED_ITEMS:
            shown.append(f"and {count - _SUMMARIZED_ITEMS} more")
        head = f"{self.period}: {count} {'item' if count == 1 else 'items'}, {self.total:f} {self.currency}"
        return f"{head}: {', '.join(shown)}" if shown else head


class Bills(Protocol):
    """Where bills come from: an operator's billing system."""

    async def find(self, account: str, period: str) -> Bill | None:
        """The account's bill for the period, or None if there isn't one."""


class DemoBills:
    """Three made-up bills for demonstrations, and nothing else.

    Accounts ``1001`` (periods ``2026-09`` and ``2026-10``, in EUR) and ``1002`` (period ``2026-10``, in CNY).
    """

    async def find(self, account: str, period: str) -> Bill | None:
        """The made-up bill, or None."""
        return next((bill for bill in _DEMO_BILLS if (bill.account, bill.period) == (account, period)), None)


_DEMO_BILLS = (
    Bill("1001", "2026-09", "EUR", (("basic fee", Decimal("19.90")), ("calls abroad", Decimal("7.35")))),
    Bill(
        "1001",
        "2026-10",
        "EUR",
        (("basic fee", Decimal("19.90")), ("calls abroad", Decimal("12.50")), ("data 10 GB", Decimal("26.00"))),
    ),
    Bill("1002", "2026-10", "CNY", (("basic fee", Decimal("58.00")), ("directory enquiries", Decimal("6.00")))),
)


class BillBroadcast:
    """Bill broadcasting.

    Takes ``account`` and ``period`` (text), and optionally ``level`` (text: ``items``, or ``total`` to leave the
    items out), ``repeats`` (integer, 1 to 10: how often it is read out at most, 3 where it is missing),
    ``customer_type`` and ``language`` (text: variants of the prompts).

    Gives ``summary`` (text, one line), ``total`` (text, decimal), ``currency`` (text), ``items`` (integer: how many
    there are) and ``times_broadcast`` (integer: how often it was read out to the end); or FAILED with ``reason``.
    """

    name = "bill-broadcast"

    def __init__(self, bills: Bills | None = None) -> None:
        """:param bills: the billing system; made-up bills by default."""
        self._bills: Bills = DemoBills() if bills is None else bills

    async def serve(self, fields: Fields, media: IMedia, report: Report | None = None) -> Outcome:
        """Serve one customer; ``report`` hears ``times_broadcast`` after each time."""
        try:
            account, period, level, most = _wanted(fields)
        except FieldError as error:
            return failed(str(error))
        bill = await self._bills.find(account, period)
        if bill is None:
            return failed("there is no bill for this account and period")
        broadcast = _Broadcast(bill, level == "items", media, Prompts.of(fields, "customer_type", "language"))
        return await served(broadcast.run(most, report), broadcast.result)


def _wanted(fields: Fields) -> tuple[str, str, str, int]:
    """Account, period, level and repeats.

    :raise FieldError: one is missing or invalid.
    """
    account, period, level = fields.text("account"), fields.text("period"), fields.get("level", LEVELS[0])
    for name, value in (("account", account), ("period", period)):
        if not value:
            raise FieldError(f"field {name!r}: expected text")
    if level not in LEVELS:
        raise FieldError(f"field 'level': expected {' or '.join(LEVELS)}")
    return account, period, str(level), limit(fields, "repeats", _DEFAULT_REPEATS, _MOST_REPEATS)


@define
class _Broadcast:
    """One bill on its way to one customer."""

    _bill: Bill
    _itemized: bool
    _media: IMedia
    _prompts: Prompts
    _times: int = 0

    async def run(self, most: int, report: Report | None) -> None:
        answer = _AGAIN
        while answer == _AGAIN and self._times < most:
            await self._read_out()
            self._times += 1
            if report is not None:
                await report(result(times_broadcast=self._times))
            if self._times < most:
                answer = await ask(self._media, self._prompts, names.AGAIN_OR_RETURN, (_AGAIN, _RETURN))
        await self._media.play(self._prompts.name(names.BACK_TO_AGENT))

    async def _read_out(self) -> None:
        await self._media.play(self._prompts.name(names.BILL_TOTAL))
        await self._media.say_amount(self._bill.total, self._bill.currency)
        for _, amount in self._bill.items if self._itemized else ():
            await self._media.play(self._prompts.name(names.BILL_ITEM))
            await self._media.say_amount(amount, self._bill.currency)

    def result(self) -> Fields:
        return result(
            summary=self._bill.summary,
            total=f"{self._bill.total:f}",
            currency=self._bill.currency,
            items=len(self._bill.items),
            times_broadcast=self._times,
        )
