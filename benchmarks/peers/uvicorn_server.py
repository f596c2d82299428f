"""The same work by uvicorn and Starlette, as JSON over HTTP, without an access log.

A third word on the command line, ``fast``, takes httptools and uvloop, which are written in C; without it, it is what
``pip install uvicorn starlette`` gives.
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.peers.calls import stored


class Calls:
    """Answers ``GET /calls/SERIAL``."""

    def __init__(self, calls: dict[str, dict[str, Any]]) -> None:
        self._calls = calls

    async def get(self, request: Any) -> Any:
        """The call, as JSON."""
        return JSONResponse(self._calls[request.path_params["serial"]])


if __name__ == "__main__":
    port, calls = stored()
    parts = {"http": "httptools", "loop": "uvloop"} if sys.argv[3:] == ["fast"] else {"http": "h11", "loop": "asyncio"}
    app = Starlette(routes=[Route("/calls/{serial}", Calls(calls).get)])
    # A connection may wait for longer than the usual 5 s between two shots.
    quiet = {"access_log": False, "log_level": "warning", "timeout_keep_alive": 3600}
    uvicorn.run(app, host="127.0.0.1", port=port, backlog=4096, **quiet, **parts)
