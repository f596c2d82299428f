"""How the exchanges that are measured are configured: everything on, and long waits, since shots take their time."""

from __future__ import annotations

from benchmarks.server_process import free_port
from benchmarks.work import EXCHANGE_ADDRESS

SERVICE = "number-broadcast"
AGENT_IDENTITY, SERVICE_IDENTITY, SECRET = "agent-demo", "service-demo", "demo"
"""The built-in identities: bound and authorized like any others."""


LIMITS = """
# As large as the largest part needs; they are checked all the same.
[limits]
links_per_identity = 20000
links_per_source = 20000
calls_per_identity = 2000000
calls_per_service = 2000000
calls_per_agent = 1000000
records_per_identity = 100000000
bytes_per_identity = 100000000000
bytes_in_all = 100000000000
frames_per_second_per_identity = 10000000
connections_per_second_per_source = 1000000

[links.agent]
frames_per_second = 10000000
bytes_per_second = 2000000000

[links.ivr]
frames_per_second = 10000000
bytes_per_second = 2000000000
"""


def configuration(store: str = "memory") -> str:
    """A file with metrics on; bind, authorization, limits, heartbeat and expiry are never off."""
    return f"""
[exchange]
address = "{EXCHANGE_ADDRESS}"

[store]
kind = "{store}"

[metrics]
listen = "tcp:{free_port()}:interface=127.0.0.1"

{LIMITS}
[services.{SERVICE}]
access_code = "7001"
fetch_timeout = 36000
service_timeout = 36000
"""
