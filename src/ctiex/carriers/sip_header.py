"""Takes the serial through the network in a SIP header field of its own: ``X-CTIEX-Serial: 007``."""

from __future__ import annotations

import re
from typing import Annotated

from attrs import frozen
from zope.interface import implementer

from ctiex.carriers.user_to_user import USER_TO_USER
from ctiex.errors import ConfigurationError
from ctiex.interfaces import ISerialCarrier, Signalled
from ctiex.serials import check_serial, is_serial
from ctiex.settings.checks import Check, hold

SERIAL_HEADER = "X-CTIEX-Serial"

_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,62}[A-Za-z0-9]")
_TAKEN = frozenset(
    """
    accept accept-encoding accept-language alert-info allow allow-events authentication-info authorization call-id
    call-info contact content-disposition content-encoding content-language content-length content-type cseq date
    diversion error-info event expires from history-info identity in-reply-to max-forwards mime-version min-expires
    min-se organization p-asserted-identity p-preferred-identity path priority privacy proxy-authenticate
    proxy-authorization proxy-require rack reason record-route refer-to referred-by remote-party-id replaces reply-to
    require retry-after route rseq server service-route session-expires sip-etag sip-if-match subject
    subscription-state supported timestamp to unsupported user-agent via warning www-authenticate
    """.split()
) | {USER_TO_USER.lower()}
"""What SIP uses itself (RFC 3261 and its kin): the value of a serial would break the call, or be lost."""


def _is_free(value: object) -> bool:
    if isinstance(value, str) and value.lower() in _TAKEN:
        raise ConfigurationError(f"found {value!r}, which SIP uses itself, expected a name such as {SERIAL_HEADER!r}")
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


HeaderName = Annotated[str, Check(f"3 to 64 letters, digits and hyphens, such as {SERIAL_HEADER!r}", _is_free)]


@implementer(ISerialCarrier)
@frozen
class SipHeaderSerialCarrier:
    """The serial's digits, and nothing else, in one header field.

    :raise ConfigurationError: it can't have that name.
    """

    header: HeaderName = SERIAL_HEADER

    def __attrs_post_init__(self) -> None:
        hold(self)

    def embed(self, calling_number: str, serial: str) -> Signalled:
        """The number as it is, and the header field.

        :raise SerialError: it is no serial.
        """
        return Signalled(calling_number, {self.header: check_serial(serial)})

    def extract(self, signalled: Signalled) -> tuple[str, str | None]:
        """The number as it came, and the header field's value where it is a serial; one that came twice isn't."""
        value = (signalled.header(self.header) or "").strip(" \t")
        return signalled.calling_number, value if is_serial(value) else None

    def strip(self, signalled: Signalled) -> Signalled:
        """What came, without the header field."""
        return signalled.without_header(self.header)
