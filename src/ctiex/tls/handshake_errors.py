"""What keeps a TLS handshake from being done, in words. Needs no pyOpenSSL: without it there is no handshake."""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure

TLS_REFUSED = "TLS refused"
"""How the reason of a link begins that was lost in its handshake."""

_REASONS = (
    ("peer did not return a certificate", "{peer} sent no certificate"),
    ("certificate verify failed", "{peer}'s certificate has expired, or isn't signed by a trusted authority"),
    ("http request", "{peer} speaks HTTP in plain text, not TLS"),
    ("wrong version number", "{peer} doesn't speak TLS"),
    ("packet length too long", "{peer} doesn't speak TLS"),
    ("bad record type", "{peer} doesn't speak TLS"),
    ("unsupported protocol", "{peer} doesn't support TLS 1.2 or above"),
    ("version too low", "{peer} doesn't support TLS 1.2 or above"),
    ("alert protocol version", "{peer} supports no TLS version that is allowed here"),
    ("no shared cipher", "{peer} supports no cipher that is allowed here"),
    ("alert certificate required", "{peer} requires a certificate, and none was sent"),
    ("alert unknown ca", "{peer} doesn't trust the authority of the certificate that it was sent"),
    ("alert certificate expired", "the certificate that was sent to {peer} has expired"),
    ("alert certificate revoked", "{peer} says that the certificate it was sent is revoked"),
    ("certificate", "{peer} refuses the certificate that it was sent"),
    ("alert handshake failure", "{peer} aborted the handshake"),
)
"""The first whose text stands in OpenSSL's reason, in lower case, tells what happened."""


def openssl_reason(error: BaseException) -> str | None:
    """The last reason in OpenSSL's queue of errors; None for an error that isn't OpenSSL's, or says nothing."""
    queue: Any = error.args[0] if error.args else None
    if not type(error).__module__.startswith("OpenSSL") or not isinstance(queue, list) or not queue:
        return None
    return str(queue[-1][-1])


def in_words(reason: str, peer: str) -> str:
    """What an OpenSSL reason means.

    :param peer: who the other side is: ``the client``.
    """
    for part, words in _REASONS:
        if part in reason.lower():
            return words.format(peer=peer)
    return f"{peer} sends invalid TLS ({reason})"


def why_lost(failure: Failure) -> str:
    """Why a link was lost, with what TLS has to say about it in words."""
    error = failure.value
    if type(error).__name__ == "VerificationError":  # service_identity's, from Twisted's check of the host name
        return f"{TLS_REFUSED}: the peer's certificate is for another name"
    reason = None if error is None else openssl_reason(error)
    if reason is None or type(error).__str__ is not Exception.__str__:
        return failure.getErrorMessage()
    if reason.casefold().startswith("unexpected eof"):
        return "the peer closed the connection without a TLS alert"
    return f"{TLS_REFUSED}: {in_words(reason, 'the peer')}"
