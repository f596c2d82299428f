"""The certificates that a configuration names, held against the clock and each other before anything starts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ctiex.config.endpoints import Listening, read_endpoint
from ctiex.config.model import Configuration
from ctiex.errors import ConfigurationError
from ctiex.messages import Role
from ctiex.settings.structuring import dotted
from ctiex.tls.endpoint import PREFIX, TlsFiles

_WARN_BEFORE = timedelta(days=30)
_LINKS = {Role.AGENT: "links.agent.listen", Role.SERVICE: "links.ivr.listen"}


def check_certificates(configuration: Configuration, now: datetime | None = None) -> tuple[list[str], list[str]]:
    """Check that TLS can be used where it is configured.

    :param now: the time by which certificates are valid, the present by default.
    :return: a line for each thing that is wrong, and a warning for whatever will end it soon, lets others read a key,
        or shuts an identity out.
    """
    errors: list[str] = []
    warnings: list[str] = []
    listening: dict[str, Listening] = {}
    for key, listen in configuration.listening.items():
        try:
            listening[key] = read_endpoint(listen)
            warnings += (f"{key}: {warning}" for warning in _checked(listening[key], now or datetime.now(UTC)))
        except ConfigurationError as error:
            errors.append(f"{key}: {error}")
    warnings += _shut_out(configuration, listening)
    return errors, warnings


def _checked(listening: Listening, now: datetime) -> Iterator[str]:
    if listening.folder is not None and not any(Path(listening.folder).glob("*.pem")):
        raise ConfigurationError(f"{listening.folder}: found no certificate, expected a folder with some in *.pem")
    if listening.files is not None:
        yield from _warnings(listening.files, now)


def _warnings(files: TlsFiles, now: datetime) -> Iterator[str]:
    # Imported here, since they need what the extra brings.
    from ctiex.tls.contexts import make_context
    from ctiex.tls.files import out_of_time, read_credentials, readable_by_all

    credentials = read_credentials(files)
    make_context(credentials, files.clients_optional)
    late = out_of_time(files, credentials, now)
    yield from (f"{line}: clients refuse it until it is renewed" for line in late)
    if not late and credentials.expires - now < _WARN_BEFORE:
        yield f"a certificate in {files.certificate} expires on {credentials.expires:%Y-%m-%d %H:%M} UTC"
    for authority in credentials.authorities:
        if authority.not_valid_after_utc - now < _WARN_BEFORE:
            name = authority.subject.rfc4514_string()
            yield (
                f"the authority {name} in {files.clients} expires on {authority.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
            )
    for path in readable_by_all(files):
        yield f"the key in {path} can be read by every user of this machine: chmod 600 {path}"


def _shut_out(configuration: Configuration, listening: dict[str, Listening]) -> Iterator[str]:
    """A warning for each identity whose certificate no link asks for."""
    for name, known in configuration.identities.items():
        link = _LINKS[known.identity.role]
        where = listening.get(link)
        asked = where is not None and where.files is not None and where.files.clients is not None
        if known.certificate and not asked:
            yield (
                f"{dotted('identities', name, 'certificate')} has no effect: {link} doesn't ask clients for"
                f" certificates, as {PREFIX}:...:clients=FILE does"
            )
