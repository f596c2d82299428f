"""Where calls and events are stored: the journals behind the call store's index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from ctiex.records import Call, Change, StoreSnapshot


class IJournal(Interface):
    """What outlives the process: it takes changes, and gives back what they came to.

    The call store answers every read from its index, and opens, appends and closes one after the other: each only
    once what was called before it is done. Nothing is appended before ``open`` is done, nor after ``close``.
    """

    in_groups: bool = Attribute(
        """How changes are appended. False: each at once, by an ``append`` that is done when it returns. True: by one
        that returns a Deferred, and gets together whatever has gathered until the one before was done."""
    )

    def open(reactor: Any) -> StoreSnapshot | Deferred[StoreSnapshot]:
        """Read what was kept before; nothing where nothing was.

        A journal that finds an earlier state of what it kept, such as a restored backup, gives no label
        :data:`ctiex.records.EPOCH`: then agents' events are numbered in a new epoch, and their clients are told.

        :param reactor: for threads and time.
        :raise StoreUnavailable: (or the Deferred fails with it) it can't be read, and everything is released.
        """

    def append(changes: Sequence[Change], before: Callable[[str], Call | None]) -> Deferred[None] | None:
        """Keep a group of changes in their order: all of them or nothing.

        None, or a Deferred that fires: they are kept, whatever happens to this process. If it fails, nothing of them is
        there when the journal is opened again, and the call store undoes them, with all that gathered meanwhile. So
        a journal that doesn't know whether they are kept finds out before it says so.

        Each event is numbered one beyond its agent's last.

        :param changes: none, where somebody waits for those before.
        :param before: gives the call that stood under a serial of theirs before all of them; None: there was none. It
            may be called from any thread, until this is done.
        :raise StoreUnavailable: (or the Deferred fails with it) they aren't kept. Any other exception has the
            same effect, and is logged with its traceback.
        """

    def close() -> Deferred[None] | None:
        """Release everything; called once, if ``open`` didn't fail."""


class ISharedJournal(IJournal):
    """A journal that other processes write too: a call may be in it that isn't in this process' index."""

    def fetch(serial: str) -> Deferred[Call | None] | None:
        """Look up a call that isn't in the index; None, or a Deferred of None: there is no such call.

        :raise StoreUnavailable: (or the Deferred fails with it) it can't be looked up: status 50.
        """


class IJournalPlugin(Interface):
    """Finds a journal by name."""

    name: str = Attribute("What the configuration calls it: ``[store] kind = NAME``.")
    settings: type[Any] = Attribute("The frozen class that declares its keys, as in `ctiex.settings`.")

    def build(settings: Any) -> IJournal | None:
        """A journal, not opened yet; None: nothing outlives the process.

        :param settings: an instance of ``settings``, from the other keys of ``[store]``.
        :raise ConfigurationError: what it needs isn't installed.
        """


class IPlacedJournalPlugin(IJournalPlugin):
    """Finds a journal that is on this machine, and can check its place before it is opened."""

    def check_place(settings: Any) -> None:
        """Check that a journal can be opened at its place, without opening or changing anything.

        :param settings: as for ``build``, which has taken them.
        :raise ConfigurationError: with a line for each thing that is wrong, its key in front: ``path: ...``.
        """
