"""Collects a customer's password and has it verified; the agent hears only how it went [0069, 0071-0079]."""

from __future__ import annotations

from attrs import define, frozen
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from ctiex.errors import CtiexError, FieldError
from ctiex.fields import Fields
from ctiex.interfaces import IMedia
from ctiex.services import prompts as names
from ctiex.services.outcome import Outcome, Report, failed, result, served
from ctiex.services.passwords import LEVELS, DemoPasswords, PasswordVerifier
from ctiex.services.prompts import Prompts, limit

_DEFAULT_TRIES, _MOST_TRIES = 3, 10
_MAX_DIGITS = 20
_TIMEOUT = 10.0
_log = Logger()


class _VerifierError(CtiexError):
    """The verifier failed; what it said is left out, since it may quote the password."""


@frozen
class _Wanted:
    """What the agent asks for."""

    account: str
    area: str
    level: str
    tries: int
    prompt: str
    prompts: Prompts

    @classmethod
    def of(cls, fields: Fields) -> _Wanted:
        """:raise FieldError: a field is missing or invalid."""
        account, level = fields.text("account"), fields.text("password_level")
        if not account:
            raise FieldError("field 'account': expected text")
        if level not in LEVELS:
            raise FieldError(f"field 'password_level': expected {' or '.join(LEVELS)}")
        vip = _is_vip(fields)
        tries = limit(fields, "tries", _DEFAULT_TRIES + vip, _MOST_TRIES)
        prompts = Prompts(("vip",) if vip else ())
        tone = Prompts.of(fields, "prompt_tone").variants
        prompt = ".".join((names.ENTER_PASSWORD, *(tone or prompts.variants)))
        return cls(account, fields.text("area"), level, tries, prompt, prompts)


@define
class _Tally:
    """What came out so far. Never the password."""

    required: str
    level: str = ""
    tries: int = 0

    @property
    def valid(self) -> bool:
        return bool(self.level) and LEVELS.index(self.level) >= LEVELS.index(self.required)

    def fields(self) -> Fields:
        return result(valid=self.valid, level=self.level, tries=self.tries)


class PasswordAuthentication:
    """Password authentication.

    Takes ``account`` (text), ``password_level`` (text: ``common`` or ``advanced``, the least that will do), and
    optionally ``area`` (text), ``vip_level`` (integer, or digits as text; from 1 on the customer hears the VIP
    prompts and has one more try), ``prompt_tone`` (text: the variant of the prompt that the agent chose) and
    ``tries`` (integer, 1 to 10; 3 where it is missing). Other fields, such as the agent's number, are ignored.

    Gives ``valid`` (boolean: a password of the required level was typed), ``level`` (text: ``advanced`` or
    ``common``, what the last password opened; empty where it was wrong) and ``tries`` (integer: how many it took);
    or FAILED with ``reason``. The password goes to the verifier and nowhere else.
    """

    name = "password-authentication"

    def __init__(self, verifier: PasswordVerifier | None = None) -> None:
        """:param verifier: the customers' accounts; made-up ones by default."""
        self._verifier: PasswordVerifier = DemoPasswords() if verifier is None else verifier

    async def serve(self, fields: Fields, media: IMedia, report: Report | None = None) -> Outcome:
        """Serve one customer; ``report`` hears ``tries`` after each try."""
        try:
            wanted = _Wanted.of(fields)
        except FieldError as error:
            return failed(str(error))
        tally = _Tally(wanted.level)
        try:
            return await served(self._authenticate(wanted, tally, media, report), tally.fields)
        except _VerifierError:
            return failed("the password can't be verified now")

    async def _authenticate(self, wanted: _Wanted, tally: _Tally, media: IMedia, report: Report | None) -> None:
        while not tally.valid and tally.tries < wanted.tries:
            tally.level = await self._level_typed(wanted, media)
            tally.tries += 1
            if report is not None:
                await report(result(tries=tally.tries))
            verdict = names.PASSWORD_ACCEPTED if tally.valid else names.PASSWORD_WRONG
            await media.play(wanted.prompts.name(verdict))
        await media.play(wanted.prompts.name(names.BACK_TO_AGENT))

    async def _level_typed(self, wanted: _Wanted, media: IMedia) -> str:
        """What the typed password opens; the password doesn't outlive this call."""
        password = await media.collect_digits(wanted.prompt, _MAX_DIGITS, _TIMEOUT)
        if not password:
            return ""
        try:
            level = await self._verifier.verify(wanted.account, wanted.area, password)
        except CancelledError:
            raise
        except Exception as error:
            _log.error("the password verifier failed: {kind}", kind=type(error).__name__)
            raise _VerifierError from None
        if level is not None and level not in LEVELS:
            _log.error("the password verifier gave an unknown level")
            raise _VerifierError
        return level or ""


def _is_vip(fields: Fields) -> bool:
    """Whether ``vip_level`` is 1 or more; it is an integer, or digits as text.

    :raise FieldError: it is there and is something else.
    """
    value = fields.get("vip_level", 0)
    if type(value) is int and value >= 0:
        return value > 0
    if isinstance(value, str) and (not value or (value.isascii() and value.isdigit())):
        return value.strip("0") != ""
    raise FieldError("field 'vip_level': expected an integer from 0 on")
