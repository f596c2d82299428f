"""The data of calls as agents have corrected it: what a service may be given, and what it may not be given any more."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field

from ctiex.fields import Fields


def _over(fields: Fields, update: Fields) -> Fields:
    return Fields({**dict(fields), **dict(update)})


@define(eq=False)
class _Versions:
    """The data of one call."""

    kept: Fields
    """As of all updates that were answered 0."""
    under_way: list[Fields] = field(factory=list)
    """Updates that the exchange hasn't answered yet."""
    ever: list[Fields] = field(factory=list)
    """Whatever the data may have been at any time."""

    def now(self) -> Iterator[Fields]:
        """What the data may be now: any update under way may be kept already, or not yet, or never."""
        found = [self.kept]
        for update in self.under_way:
            found += [_over(fields, update) for fields in found]
        yield from found

    def note(self) -> None:
        """Something has changed that the data may be from now on."""
        self.ever += [fields for fields in self.now() if fields not in self.ever]


@define(eq=False)
class DataOfCalls:
    """By call: its data, fed with what the exchange is asked and what it answers."""

    _of: dict[str, _Versions] = field(factory=dict)

    def asked_for(self, use: str, fields: Fields) -> None:
        """A customer is to be served, with these fields."""
        self._of[use] = _Versions(fields, ever=[fields])

    def begun(self, use: str) -> None:
        """The exchange has this call from now on, as it was asked for; what it had of it before is lost."""
        versions = self._of.get(use)
        if versions is not None:
            versions.kept = versions.ever[0]
            versions.note()

    def update_asked(self, use: str, update: Fields) -> None:
        """The exchange hears of an update."""
        versions = self._of.get(use)
        if versions is not None:
            versions.under_way.append(update)
            versions.note()

    def update_answered(self, use: str, update: Fields, kept: bool) -> None:
        """It answers one."""
        versions = self._of.get(use)
        if versions is not None and update in versions.under_way:
            versions.under_way.remove(update)
            if kept:
                versions.kept = _over(versions.kept, update)

    def may_be(self, use: str, fields: Fields) -> bool:
        """Whether a call's data may be this now."""
        return use not in self._of or fields in self._of[use].now()

    def ever_was(self, use: str, fields: Fields) -> bool:
        """Whether a call's data may have been this at any time."""
        return use not in self._of or fields in self._of[use].ever

    def found(self, use: str, fields: Fields) -> bool:
        """An exchange begins, and finds this on its disk; whether an update is in it that wasn't answered."""
        versions = self._of.get(use)
        if versions is None:
            return False
        changed, versions.kept = fields != versions.kept, fields
        versions.under_way.clear()
        versions.note()
        return changed
