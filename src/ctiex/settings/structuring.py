"""From the tables of a TOML file to the classes that declare them, with every error at once.

cattrs walks the tables; the hooks here make it strict (no text taken for a number) and let
each error say its key, what was found and what was expected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any, TypeVar, get_args, get_origin

from attrs import fields, frozen, has
from cattrs import (
    AttributeValidationNote,
    ClassValidationError,
    Converter,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, mapping_structure_factory

from ctiex.errors import ConfigurationError
from ctiex.settings.checks import REST, check_of, kind_of, shown

T = TypeVar("T")
_Hook = Callable[[Any, Any], Any]
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


_MOST_ROUNDS = 100
"""Each one takes out what is wrong: what is left is looked at in the next."""


def structure(table: Mapping[str, Any], model: type[T], key: str = "") -> T:
    """A table as an instance of the class that declares it.

    :param key: the dotted key of the table, for errors.
    :raise ConfigurationError: with a line for each thing that is wrong, its key in front: ``path: missing, ...``.
    """
    made, wrong = structure_good_part(table, model)
    if wrong or made is None:
        raise ConfigurationError("\n".join(f"{key}.{line}" if key else line for line in wrong))
    return made


def structure_good_part(tables: Mapping[str, Any], model: type[T]) -> tuple[T | None, list[str]]:
    """The tables as an instance of the model, without what is wrong in them, and every error with its dotted key.

    What is wrong has its default, or what stands in for it; None where nothing is left.
    """
    left, told, refused = deepcopy(dict(tables)), dict[_Path, str](), set[_Path]()
    for _ in range(_MOST_ROUNDS):
        try:
            return _CONVERTER.structure(left, model), sorted(told.values())
        except (ClassValidationError, IterableValidationError) as group:
            found = list(_wrong(group, model, ()))
        told |= {one.path: one.line for one in found if one.path not in told and one.table not in refused}
        refused |= {one.table for one in found if one.table is not None}
        if not _take_out(left, found):
            break
    return None, sorted(told.values())


def dotted(*keys: str) -> str:
    """The keys as TOML writes them: ``services."pin check".access_code``."""
    return ".".join(key if _BARE_KEY.fullmatch(key) else json.dumps(key) for key in keys)


# ---------------------------------------------------------------- hooks


def _structure_checked(value: Any, type_: Any) -> Any:
    check = check_of(type_)
    assert check is not None
    wrong = check.complaint(value)
    if wrong:
        raise ConfigurationError(wrong)
    return value if check.convert is None else check.convert(value)


def _table_hook(model: type[Any], converter: Converter) -> _Hook:
    inner = make_dict_structure_fn(model, converter, _cattrs_forbid_extra_keys=True)
    known = {attribute.name for attribute in fields(model) if attribute.metadata != REST}
    rest = next((attribute.name for attribute in fields(model) if attribute.metadata == REST), None)

    def hook(value: Any, _: Any) -> Any:
        table = _table(value)
        if rest is not None:
            table = {key: item for key, item in table.items() if key in known} | {
                rest: {key: item for key, item in table.items() if key not in known}
            }
        return inner(table, model)

    return hook


def _mapping_hook(type_: Any, converter: Converter) -> _Hook:
    inner = mapping_structure_factory(type_, converter)
    return lambda value, _: inner(_table(value), type_)


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        # Its kind alone, since a secret may have been written in the table's place.
        raise ConfigurationError(f"found {kind_of(value)}, expected a table")
    return dict(value)


def _list_hook(type_: Any, converter: Converter) -> _Hook:
    item = get_args(type_)[0]

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise ConfigurationError(f"found {shown(value)}, expected a list")
        return tuple(converter.structure(value, list[item]))  # type: ignore[valid-type]

    return hook


def _is_made_of(origin: Any) -> Callable[[Any], bool]:
    return lambda type_: get_origin(type_) is origin


_CONVERTER = Converter(forbid_extra_keys=True, detailed_validation=True)
_CONVERTER.register_structure_hook_factory(has, _table_hook)
_CONVERTER.register_structure_hook_factory(_is_made_of(Mapping), _mapping_hook)
_CONVERTER.register_structure_hook_factory(_is_made_of(tuple), _list_hook)
_CONVERTER.register_structure_hook_func(lambda type_: check_of(type_) is not None, _structure_checked)


# ---------------------------------------------------------------- errors


_Path = tuple[str | int, ...]
"""The keys and places from the top of the file to a value."""


@frozen
class _Wrong:
    """One thing that is wrong."""

    path: _Path
    text: str
    stand_in: object = None
    """What stands there for the rest of the look, where something has to."""
    table: _Path | None = None
    """The table whose attributes don't fit together; once one is taken out, what it says next only follows."""

    @property
    def line(self) -> str:
        """The error, its key in front."""
        return f"{_key(self.path)}: {self.text}" if self.path else self.text


def _wrong(error: BaseException, model: Any, path: _Path) -> Iterator[_Wrong]:
    """The errors inside an error."""
    if not isinstance(error, (ClassValidationError, IterableValidationError)):
        yield _Wrong(path, _worded(error))
        return
    for inner in error.exceptions:
        step, type_ = _step(inner)
        if isinstance(inner, ForbiddenExtraKeysError):
            yield from _unknown_keys(inner, path)
        elif step is None:
            yield from _wrong_together(inner, model, path)
        elif isinstance(inner, KeyError) and isinstance(step, str):
            check = check_of(type_)
            expected = check.expected if check else "a value"
            yield _Wrong((*path, step), f"missing, expected {expected}", check and check.stand_in)
        else:
            yield from _wrong(inner, type_, path if _hides_keys(model) else (*path, step))


def _hides_keys(model: Any) -> bool:
    """Whether the keys of a table aren't to be shown."""
    check = check_of(get_args(model)[0]) if get_origin(model) is Mapping else None
    return check is not None and check.secret


def _wrong_together(error: BaseException, model: Any, path: _Path) -> Iterator[_Wrong]:
    """What a class says of its attributes when it is made: a line each, ``attribute: text``."""
    own = {attribute.name for attribute in fields(model)} if has(model) else set()
    for line in _worded(error).split("\n"):
        key, _, text = line.partition(": ")
        yield _Wrong((*path, key), text, table=path) if key in own else _Wrong(path, line, table=path)


def _step(error: BaseException) -> tuple[str | int | None, Any]:
    """Where below its parent an error stands, and the type that was expected there."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return note.name, note.type
        if isinstance(note, IterableValidationNote):
            return note.index, note.type
    return None, None


def _key(path: _Path) -> str:
    """The dotted key of a place: ``identities.desk.agents[1]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{dotted(step)}" if text else dotted(step)
    return text


def _take_out(tables: dict[str, Any], wrong: Iterable[_Wrong]) -> bool:
    """Take what is wrong out of the tables, and put in what has to stand there; False where that changes nothing."""
    before = deepcopy(tables)
    for one in sorted(
        filter(lambda one: one.path, wrong), key=lambda one: tuple(map(_last_first, one.path)), reverse=True
    ):
        inside: Any = tables
        for step in one.path[:-1]:
            inside = inside[step]
        if one.stand_in is not None:
            inside[one.path[-1]] = one.stand_in
        elif isinstance(inside, dict):
            inside.pop(one.path[-1], None)  # a key and its value may both be wrong
        else:
            del inside[one.path[-1]]
    return tables != before


def _last_first(step: str | int) -> tuple[bool, int, str]:
    """So that what is taken out of a list moves none of what is taken out after it."""
    return (True, step, "") if isinstance(step, int) else (False, 0, step)


def _unknown_keys(error: ForbiddenExtraKeysError, path: _Path) -> Iterator[_Wrong]:
    known = ", ".join(sorted(attribute.name for attribute in fields(error.cl)))
    expected = f"expected one of: {known}" if known else "expected none"
    for key in sorted(error.extra_fields):
        yield _Wrong((*path, key), f"found an unknown key, {expected}")


def _worded(error: BaseException) -> str:
    if isinstance(error, ConfigurationError):
        return str(error)
    return f"invalid value ({type(error).__name__})"
