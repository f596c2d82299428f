"""Who owns each call: the identity that it was offered to last, and no other."""

from __future__ import annotations

from ctiex.identities import ANY_OWNER, Identity
from ctiex.interfaces import IServiceSession
from ctiex.records import Call


class Owners:
    """Knows the session that each call was offered to, and who came first for a call that any identity may come for."""

    def __init__(self) -> None:
        self._sessions: dict[str, IServiceSession] = {}
        self._claims: dict[str, str] = {}
        self._offered: set[str] = set()
        """Calls whose Connection was written."""

    def __len__(self) -> int:
        return len(self._offered) + len(self._claims)

    def offered(self, call: Call, session: IServiceSession | None) -> None:
        """The Connection goes to this session; None: to an address, for whose call comes from there."""
        self.forget(call)
        self._offered.add(call.serial)
        if session is not None:
            self._sessions[call.serial] = session

    def is_offered(self, call: Call) -> bool:
        """Whether its Connection was written, by this process."""
        return call.serial in self._offered

    def hears_of_end(self, call: Call) -> bool:
        """Whether a service is to hear how a call ends: it was offered one, and that didn't refuse it."""
        return self.owner_of(call) not in ("", ANY_OWNER) and not call.refused

    def session_of(self, call: Call) -> IServiceSession | None:
        """The session to which the Connection was written last, bound or not."""
        return self._sessions.get(call.serial)

    def claim(self, call: Call, identity: Identity) -> None:
        """An identity that may have it came for it: if it was anybody's, it is this one's, kept or not."""
        if call.owner == ANY_OWNER:
            self._claims.setdefault(call.serial, identity.name)

    def owner_of(self, call: Call) -> str:
        """The service identity whose call it is; :data:`ANY_OWNER`; empty before it is offered."""
        return self._claims.get(call.serial, call.owner) if call.owner == ANY_OWNER else call.owner

    def owns(self, identity: Identity, call: Call) -> bool:
        """Whether an identity may have the call's data and report on it."""
        owner = self.owner_of(call)
        if owner == ANY_OWNER:  # whatever an identity is called
            return identity.may_serve(call.service)
        return bool(owner) and owner == identity.name

    def forget(self, call: Call) -> None:
        """The call is over for its service."""
        self._offered.discard(call.serial)
        self._sessions.pop(call.serial, None)
        self._claims.pop(call.serial, None)
