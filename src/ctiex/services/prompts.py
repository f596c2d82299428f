"""Names of the prompts that the services play, and the questions they ask.

A prompt name is symbolic: what a medium plays for it is the medium's matter. Variants
follow behind dots, as in ``number-is.vip.fr``: a medium that has no recording for a
variant can fall back by cutting at the last dot.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from attrs import frozen

from ctiex.errors import FieldError
from ctiex.fields import Fields
from ctiex.interfaces import IMedia

NUMBER_IS = "number-is"
NEXT_NUMBER = "next-number"
PLUS = "plus"
AGAIN_OR_SATISFIED = "again-or-satisfied"
"""1: once more; 2: satisfied; 3: not satisfied."""
SATISFIED = "satisfied"
"""2: satisfied; 3: not satisfied."""
BILL_TOTAL = "bill-total"
BILL_ITEM = "bill-item"
AGAIN_OR_RETURN = "again-or-return"
"""1: once more; 2: back to the agent."""
ENTER_PASSWORD = "enter-password"
PASSWORD_ACCEPTED = "password-accepted"
PASSWORD_WRONG = "password-wrong"
NOT_UNDERSTOOD = "not-understood"
BACK_TO_AGENT = "back-to-agent"

ANSWER_TIMEOUT = 8.0
"""How long a service waits for a key, in seconds."""
_ATTEMPTS = 2
_VARIANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


@frozen
class Prompts:
    """Picks the variant of each prompt for one customer."""

    variants: tuple[str, ...] = ()

    @classmethod
    def of(cls, fields: Fields, *names: str) -> Prompts:
        """The variants that the fields with these names ask for, where they are text fit for a name.

        Anything else is left out: a field must not be able to point to another file.
        """
        return cls(tuple(text for text in map(fields.text, names) if _VARIANT.fullmatch(text)))

    def name(self, prompt: str) -> str:
        """The prompt's name with the variants behind it."""
        return ".".join((prompt, *self.variants))


async def ask(media: IMedia, prompts: Prompts, question: str, answers: Collection[str]) -> str:
    """Ask for one key. A wrong key is asked for once more; silence or wrong again gives ``""``."""
    for _ in range(_ATTEMPTS):
        answer = await media.collect_digits(prompts.name(question), 1, ANSWER_TIMEOUT)
        if answer in answers:
            return answer
        if not answer:
            break
        await media.play(prompts.name(NOT_UNDERSTOOD))
    return ""


def limit(fields: Fields, name: str, default: int, most: int) -> int:
    """A count between 1 and ``most`` from an optional field.

    :raise FieldError: the field is there and holds something else.
    """
    value = fields.get(name, default)
    if type(value) is not int or not 1 <= value <= most:
        raise FieldError(f"field {name!r}: expected an integer from 1 to {most}")
    return value
