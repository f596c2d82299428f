"""The same work by aiohttp, as JSON over HTTP, without an access log."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from benchmarks.peers.calls import stored


class Calls:
    """Answers ``GET /calls/SERIAL``."""

    def __init__(self, calls: dict[str, dict[str, Any]]) -> None:
        self._calls = calls

    async def get(self, request: Any) -> Any:
        """The call, as JSON."""
        return web.json_response(self._calls[request.match_info["serial"]])


if __name__ == "__main__":
    port, calls = stored()
    app = web.Application()
    app.router.add_get("/calls/{serial}", Calls(calls).get)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None, backlog=4096)
