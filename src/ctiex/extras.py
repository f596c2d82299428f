"""The extras: what an install may leave out, and what is said where it is needed and missing."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from ctiex.errors import ConfigurationError

EXTRAS: Mapping[str, Mapping[str, str]] = {
    "durable": {"cryptography": "cryptography"},
    "metrics": {"prometheus_client": "prometheus-client"},
    "testing": {"hypothesis": "hypothesis"},
    "tls": {"OpenSSL": "pyOpenSSL", "service_identity": "service-identity"},
}
"""The packages that each extra brings, by the names that they are imported by."""


def need(extra: str, who: str) -> None:
    """See that an extra is installed, without importing anything of it.

    :param who: what needs it, as the beginning of a sentence: ``the sqlite store``.
    :raise ConfigurationError: it isn't; the text says what to install.
    """
    missing = [package for module, package in EXTRAS[extra].items() if find_spec(module) is None]
    if missing:
        raise ConfigurationError(
            f"{who} needs {' and '.join(missing)}, not installed: run `pip install 'ctiex[{extra}]'`"
        )
