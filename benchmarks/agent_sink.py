"""Agents that acknowledge events and do nothing else, in a process of their own.

Run as ``python -m benchmarks.agent_sink PORT LINKS AGENTS``: that many links with that many agents on each. Says
``{"ready": N}`` once they are logged in, and ends when its standard input does.
"""

from __future__ import annotations

import json
import selectors
import sys

from benchmarks.hand_offs import AcknowledgingAgent


def main(port: int, links: int, agents: int) -> None:
    """Log in, and acknowledge."""
    selector = selectors.DefaultSelector()
    for number in range(links):
        link = AcknowledgingAgent(port, [f"{number + 1}{agent:04d}" for agent in range(agents)])
        selector.register(link.socket, selectors.EVENT_READ, link)
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    print(json.dumps({"ready": links}), flush=True)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                return
            if acks := key.data.take():
                key.data.socket.sendall(acks)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
