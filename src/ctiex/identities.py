"""Who may do what: identities, their agent numbers and their services. Pure values."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen
from zope.interface import implementer

from ctiex.errors import ConfigurationError
from ctiex.interfaces import IIdentity
from ctiex.messages import Role

EVERY_NUMBER = "*"
PATTERN_EXPECTED = 'an agent number ("1001"), a range of numbers of one length ("1100-1199"), or "*"'
_MAX_PATTERN = 255
ANY_OWNER = "*"
"""The owner of a call that any identity serving it may come back for; the first that does gets it."""


@frozen
class NumberRange:
    """Agent numbers from ``first`` to ``last``, both included; all have as many digits as these."""

    first: str
    last: str

    def __contains__(self, agent: str) -> bool:
        return len(agent) == len(self.first) and _is_digits(agent) and self.first <= agent <= self.last


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


@frozen
class AgentNumbers:
    """The agent numbers that an identity may act for. Numbers are text: ``007`` is not ``7``."""

    exact: frozenset[str] = frozenset()
    ranges: tuple[NumberRange, ...] = ()
    every: bool = False

    @classmethod
    def parse(cls, patterns: Iterable[str]) -> AgentNumbers:
        """The numbers that fit one of the patterns: ``1001``, ``1100-1199`` or ``*``.

        :raise ConfigurationError: a pattern is not one of these.
        """
        parsed = [parse_pattern(pattern) for pattern in patterns]
        ranges = tuple(one for one in parsed if isinstance(one, NumberRange))
        exact = frozenset(one for one in parsed if isinstance(one, str))
        return cls(exact - {EVERY_NUMBER}, ranges, EVERY_NUMBER in exact)

    def __contains__(self, agent: str) -> bool:
        if not agent:
            return False
        return self.every or agent in self.exact or any(agent in numbers for numbers in self.ranges)


def parse_pattern(pattern: str) -> NumberRange | str:
    """One pattern: a range, or an exact number, or ``*``.

    :raise ConfigurationError: it is not one of these.
    """
    if pattern == EVERY_NUMBER:
        return pattern
    first, dash, last = pattern.partition("-")
    if dash:
        if not (_is_digits(first) and _is_digits(last) and len(first) == len(last) and first <= last):
            raise _bad(pattern)
        return NumberRange(first, last)
    fits = 1 <= len(pattern.encode(errors="replace")) <= _MAX_PATTERN
    if not fits or EVERY_NUMBER in pattern or " " in pattern or not pattern.isprintable():
        raise _bad(pattern)
    return pattern


def _bad(pattern: str) -> ConfigurationError:
    return ConfigurationError(f"agent pattern {pattern[:40]!r}: expected {PATTERN_EXPECTED}")


@implementer(IIdentity)
@frozen
class Identity:
    """Someone who may bind: in one role, for some agent numbers or for some services.

    :raise ConfigurationError: the name is empty, or the reserved one for any owner.
    """

    name: str = field()
    role: Role
    agents: AgentNumbers = field(factory=AgentNumbers)
    services: frozenset[str] = frozenset()
    supervised: AgentNumbers = field(factory=AgentNumbers)
    """Whose states it may force, and whose calls it may listen to and take over."""
    may_dial: tuple[str, ...] = ()
    """How the numbers begin that its agents may call outside; ``*``: any."""

    @name.validator
    def _check_name(self, _: object, name: str) -> None:
        if name in ("", ANY_OWNER):  # it would own calls without an owner, or with any owner
            raise ConfigurationError(f"identity {name!r}: expected another name")

    def may_act_for(self, agent: str) -> bool:
        """Whether it may log this agent number in, and ask and cancel for it."""
        return agent in self.agents

    def supervises(self, agent: str) -> bool:
        """Whether it may see and control what this agent number does, beside its own."""
        return agent in self.supervised

    def may_see(self, agent: str) -> bool:
        """Whether it may be told of this agent number's state and calls."""
        return agent in self.agents or agent in self.supervised

    def names_agent(self, agent: str) -> bool:
        """Whether this is one of its agent numbers by name, or by a range: not by being any number."""
        named = self.agents
        return agent in named.exact or any(agent in numbers for numbers in named.ranges)

    def may_call(self, number: str) -> bool:
        """Whether its agents may call this number outside."""
        return any(start == EVERY_NUMBER or number.startswith(start) for start in self.may_dial)

    def may_serve(self, service: str) -> bool:
        """Whether calls for this service may be offered to it."""
        return service in self.services
