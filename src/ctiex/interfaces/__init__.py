"""The plugin interfaces: codecs, journals, signalling drivers, carriers, organizers, media, credentials checkers.

Each has a plugin face that is found by its ``name`` in :mod:`ctiex.plugins`, and a
contract test in :mod:`ctiex.testing` that every implementation passes.
"""

from __future__ import annotations

from ctiex.interfaces.carrier import NO_HEADERS, ISerialCarrier, ISerialCarrierPlugin, Signalled
from ctiex.interfaces.codec import Extensions, Frame, ICodec, ICodecPlugin, IDataResponder, IDecoder, decoded
from ctiex.interfaces.login import CheckerContext, IBindCredentials, ICertificateCredentials, ICheckerPlugin, IIdentity
from ctiex.interfaces.media import IMedia, IMediaPlugin
from ctiex.interfaces.organizer import IOrganizer, IOrganizerPlugin
from ctiex.interfaces.signalling import (
    BaseSignalling,
    BaseSignallingPlugin,
    IServiceSession,
    IServiceSessions,
    ISignalling,
    ISignallingListener,
    ISignallingPlugin,
    Offer,
    SignallingContext,
)
from ctiex.interfaces.store import IJournal, IJournalPlugin, IPlacedJournalPlugin, ISharedJournal

__all__ = [
    "CheckerContext",
    "Extensions",
    "Frame",
    "IBindCredentials",
    "ICertificateCredentials",
    "ICheckerPlugin",
    "ICodec",
    "ICodecPlugin",
    "BaseSignalling",
    "IDataResponder",
    "IDecoder",
    "IIdentity",
    "IJournal",
    "IJournalPlugin",
    "IMedia",
    "IMediaPlugin",
    "IOrganizer",
    "IOrganizerPlugin",
    "IPlacedJournalPlugin",
    "BaseSignallingPlugin",
    "ISerialCarrier",
    "ISerialCarrierPlugin",
    "IServiceSession",
    "IServiceSessions",
    "ISharedJournal",
    "ISignalling",
    "ISignallingListener",
    "ISignallingPlugin",
    "NO_HEADERS",
    "Offer",
    "Signalled",
    "SignallingContext",
    "decoded",
]
