"""What has to follow a frame in the state that a test vector names, by docs/layouts.json and the rules of the page."""

from __future__ import annotations

import struct
from typing import Any

from .layouts_reader import BY_KIND, LAYOUTS, MESSAGES, Body, Malformed, binary_body, integer, json_body, parsed

Outcome = tuple[list[dict[str, Any]], bool, bool | None]
"""The answers, whether the link ends, and whether the request that waits does; None where none waits."""

LIMIT = 65_536


class Judge:
    """One side of one link, in one state."""

    def __init__(self, vector: dict[str, Any]) -> None:
        self.client = vector["received_by"] == "client"
        self.link = vector["link"]
        self.bound = vector["state"] == "bound"
        self.features = vector.get("features", "").split()
        self.limit = vector.get("max_frame", LIMIT)
        self.pending: dict[str, Any] | None = vector.get("pending")
        self.ends: bool | None = None if self.pending is None else False

    def binary(self, data: bytes) -> Outcome:
        """What follows a binary frame, by the order of the checks."""
        (length,) = struct.unpack_from(">I", data)
        if not 8 <= length <= self.limit:
            return self._ended(4 if length > self.limit else 1)
        version, kind, flags, invoke_id = struct.unpack_from(">BBHI", data, 4)
        if version != 2:
            return self._ended(3)
        if flags > 1:
            known = BY_KIND.get(kind)
            return self._error(1, kind, invoke_id) if known is None else self._malformed(known, invoke_id)
        if kind not in BY_KIND:
            kept = any(each["least"] <= kind <= each["greatest"] for each in LAYOUTS["kept_kinds"])
            return self._error((5 if self.bound else 10) if kept else 2, kind, invoke_id)
        message = BY_KIND[kind]
        return self._placed(message, invoke_id, lambda: binary_body(message, data[12:], flags == 1))

    def json(self, data: bytes) -> Outcome:
        """What follows a line."""
        if len(data.partition(b"\n")[0]) > self.limit:
            return self._ended(4)
        try:
            given = parsed(data.removesuffix(b"\n"))
            invoke_id = integer(given.pop("id", 0))
            if not 0 <= invoke_id < 2**32:
                raise Malformed
        except Malformed:
            return self._error(1, 0, 0)
        name = given.pop("kind", None)
        if name not in MESSAGES:
            return self._error(2 if isinstance(name, str) else 1, 0, invoke_id)
        return self._placed(MESSAGES[name], invoke_id, lambda: json_body(MESSAGES[name], given))

    def _placed(self, message: dict[str, Any], invoke_id: int, read: Any) -> Outcome:
        """Bound, role, body, extensions, invoke id."""
        name, kind = message["name"], message["kind"]
        if not self.bound:
            if name in ("Error", "Pong"):
                return self._nothing()
            if name not in ("Bind", "Ping"):
                return self._error(10, kind, invoke_id)
        elif not self._allowed(message):
            return self._error(5, kind, invoke_id)
        try:
            body = read()
        except Malformed:
            return self._malformed(message, invoke_id)
        if "reply" in message and name != "Unbind" and invoke_id == 0:
            return self._error(1, kind, 0)
        if message["invoke_id"] == "0" and invoke_id:
            return self._error(1, kind, invoke_id)
        return self._good(message, invoke_id, body)

    def _allowed(self, message: dict[str, Any]) -> bool:
        if message["name"] == "Bind" or self.link not in message["links"]:
            return False
        if message.get("feature", "") not in ("", *self.features):
            return False
        sender = message["from"]
        return "answers" in message or sender == "either" or (sender == "client") != self.client

    def _malformed(self, message: dict[str, Any], invoke_id: int) -> Outcome:
        if message["name"] == "Error":
            return self._nothing()
        if self._awaited(message, invoke_id):
            self.ends = True
        return self._error(1, message["kind"], invoke_id)

    def _awaited(self, message: dict[str, Any], invoke_id: int) -> bool:
        waits = self.pending
        return waits is not None and waits["id"] == invoke_id and message.get("answers") == waits["kind"]

    def _good(self, message: dict[str, Any], invoke_id: int, body: Body) -> Outcome:
        if message["name"] == "Error":
            waits = self.pending
            if waits is not None and waits["id"] == invoke_id and body["about"] == MESSAGES[waits["kind"]]["kind"]:
                self.ends = True
        if self._awaited(message, invoke_id):
            self.ends = True
        return self._own_reply(message, invoke_id, body) if "reply" in message else self._nothing()

    def _own_reply(self, message: dict[str, Any], invoke_id: int, body: Body) -> Outcome:
        """Of an exchange that has no calls and where nobody is logged in."""
        answer: dict[str, Any] = {"kind": message["reply"], "id": invoke_id}
        name = message["name"]
        if name == "Bind":
            assert not body["min_version"] <= 2 <= body["max_version"]
            return [answer | {"status": 3, "version": 2}], True, self.ends
        if name == "ConnectRequest":
            answer |= {"status": 42, "serial": body["serial"], "retry_after": 0}
        elif name in ("DataRequest", "CancelRequest"):
            answer |= {"status": 20, "serial": body["serial"]}
        elif name == "AgentLogout":
            answer |= {"status": 42}
        return [answer], name == "Unbind", self.ends

    def _error(self, status: int, about: int, invoke_id: int) -> Outcome:
        return [{"kind": "Error", "id": invoke_id, "status": status, "about": about}], False, self.ends

    def _ended(self, status: int) -> Outcome:
        return [{"kind": "Error", "id": 0, "status": status, "about": 0}], True, self.ends

    def _nothing(self) -> Outcome:
        return [], False, self.ends
