"""Puts fields into the other side's vocabulary by the rules of the configuration [0051, 0053]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen
from zope.interface import implementer

from ctiex.errors import ConfigurationError, FieldError
from ctiex.fields import MAX_COUNT, Fields, Value, check_field
from ctiex.interfaces import IOrganizer

EVERY_FIELD = "*"
"""Alone in ``keep``: everything passes, on purpose."""


@implementer(IOrganizer)
@frozen
class RuleOrganizer:
    """Keeps, maps, renames and adds fields, in this order; constants win.

    A rename onto a field that would pass through under that name replaces it.
    """

    keep: frozenset[str] | None = None
    """The source names that may pass; None lets all pass."""
    mapped: Mapping[str, Mapping[str, str]] = field(factory=dict, repr=False)
    """Source name to the new text for each value in its text form: ``3``, ``true``, ``false``."""
    renamed: Mapping[str, str] = field(factory=dict)
    """Source name to target name."""
    constants: Mapping[str, Value] = field(factory=dict, repr=False)
    secret: frozenset[str] = frozenset()
    """The names, before and after renaming, of the secret fields."""

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> RuleOrganizer:
        """An organizer from the keys ``keep``, ``map``, ``rename``, ``constants`` and ``secret``, all optional.

        A name in ``secret`` covers the field before and after a rename, whichever of the two is given.
        ``keep = ["*"]`` lets every field pass, as no ``keep`` does.

        :raise ConfigurationError: an unknown key, or an invalid value.
        """
        for key in settings:
            if key not in _READERS:
                raise ConfigurationError(f"unknown key {key!r}: expected one of {', '.join(_READERS)}")
        read = {key: _READERS[key](key, value) for key, value in settings.items()}
        renamed = read.get("rename", {})
        return cls(
            keep=_passing(read.get("keep")),
            mapped=read.get("map", {}),
            renamed=renamed,
            constants=read.get("constants", {}),
            secret=_before_and_after(read.get("secret", frozenset()), renamed),
        )

    def organize(self, fields: Fields) -> Fields:
        """The fields by the rules; the very same object where no rule could change anything.

        :raise FieldError: there would be more fields than one message may have.
        """
        if self.keep is None and not (self.mapped or self.renamed or self.constants):
            return fields
        passed: dict[str, Value] = {}
        moved: dict[str, Value] = {}
        for name, value in fields.items():
            if self.keep is None or name in self.keep:
                target = self.renamed.get(name)
                (passed if target is None else moved)[target or name] = self._value(name, value)
        organized = {**passed, **moved, **self.constants}
        if len(organized) > MAX_COUNT:
            raise FieldError(f"{len(organized)} fields after organizing: at most {MAX_COUNT} are allowed")
        return Fields.trusted(organized)

    def _value(self, name: str, value: Value) -> Value:
        table = self.mapped.get(name)
        form = _text_form(value)
        return value if table is None or form is None else table.get(form, value)


def _text_form(value: Value) -> str | None:
    """How a ``map`` table names the value; None for bytes, which have no text form."""
    if isinstance(value, bytes):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _passing(keep: frozenset[str] | None) -> frozenset[str] | None:
    if keep is None or EVERY_FIELD not in keep:
        return keep
    if len(keep) > 1:
        raise ConfigurationError(f'keep: found "{EVERY_FIELD}" beside names of fields, expected it alone')
    return None


def _before_and_after(given: frozenset[str], renamed: Mapping[str, str]) -> frozenset[str]:
    pairs = [pair for pair in renamed.items() if given.intersection(pair)]
    return given.union(*pairs)


# ---------------------------------------------------------------- reading the settings


def _checked(where: str, name: object, value: Value = "") -> None:
    """Hold one name (and value) of the configuration to the limits of the wire format."""
    try:
        check_field(name, value)  # type: ignore[arg-type]
    except FieldError as error:
        raise ConfigurationError(f"{where}: {error}") from None


def _table(where: str, value: object, of: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{where}: expected a table of {of}, not {type(value).__name__}")
    return value


def _names(key: str, value: object) -> frozenset[str]:
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise ConfigurationError(f"{key}: expected a list of field names, not {type(value).__name__}")
    for name in value:
        _checked(key, name)
    return frozenset(value)


def _renames(key: str, value: object) -> dict[str, str]:
    renames = dict(_table(key, value, "old = new field names"))
    taken: dict[str, str] = {}
    for old, new in renames.items():
        _checked(key, old)
        _checked(f"{key}.{old}", new)
        if new in taken:
            raise ConfigurationError(f"{key}: {taken[new]!r} and {old!r} both become {new!r}; expected one of them")
        taken[new] = old
    return renames


def _maps(key: str, value: object) -> dict[str, dict[str, str]]:
    maps = {}
    for name, table in _table(key, value, "field names with tables of value = new text").items():
        _checked(key, name)
        maps[name] = dict(_table(f"{key}.{name}", table, "value = new text"))
        for form, text in maps[name].items():
            if not (isinstance(form, str) and isinstance(text, str)):
                raise ConfigurationError(f"{key}.{name}: expected value = new text, not a {type(text).__name__}")
            _checked(f"{key}.{name}", name, text)
    return maps


def _constants(key: str, value: object) -> dict[str, Value]:
    constants = dict(_table(key, value, "field names with their values"))
    for name, constant in constants.items():
        if not isinstance(constant, (str, int)):
            kind = type(constant).__name__
            raise ConfigurationError(f"{key}.{name}: expected text, an integer or a boolean, not {kind}")
        _checked(key, name, constant)
    return constants


_READERS: dict[str, Callable[[str, object], Any]] = {
    "rename": _renames,
    "map": _maps,
    "keep": _names,
    "constants": _constants,
    "secret": _names,
}
"""The keys of the settings, each with what reads its value."""
