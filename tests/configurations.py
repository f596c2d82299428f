"""Configurations that tests read."""

from __future__ import annotations

import tomllib

from ctiex.config.model import Configuration
from ctiex.config.reading import parse
from ctiex.login.secret_hashes import hash_secret

HASH = hash_secret("x", salt=lambda size: bytes(size)).format()

OWN = f"""
[identities.agents]
role = "agent"
secret_hash = "{HASH}"
agents = ["1001", "1100-1199"]
[identities.ivr]
role = "service"
secret_hash = "{HASH}"
services = ["bill"]
[services.bill]
access_code = "7002"
"""
PLAIN = """
[links.agent]
plain_secrets = "allowed"
[links.ivr]
plain_secrets = "allowed"
"""


def read(text: str, **options: str) -> Configuration:
    """The configuration in a text."""
    return parse(tomllib.loads(text), "ctiex.toml", **options)
