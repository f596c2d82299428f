"""What a ConnectRequest has to pass before it becomes a call, in the order of the wire's rules."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from ctiex.errors import CodecError, FieldError, SerialError, Status
from ctiex.fields import Fields
from ctiex.identities import Identity
from ctiex.messages import ConnectRequest, DataResult
from ctiex.processing.context import ProcessingContext
from ctiex.processing.presence import AgentConnection
from ctiex.processing.quotas import Refused, check_fields
from ctiex.records import Call, CallState


def is_repeat(
    context: ProcessingContext, request: ConnectRequest, connection: AgentConnection, known: Call | None
) -> bool:
    """Whether it is a repeat of a call that is open: answered like the first, and no more.

    :param known: the call that has its serial.
    :raise Refused: 42, 30 or 22.
    """
    if not context.presence.is_on(request.agent, connection):
        raise Refused(Status.AGENT_NOT_LOGGED_IN, "AgentLogin of this agent number is needed on this link")
    if request.service not in context.services:
        raise Refused(Status.UNKNOWN_SERVICE, f"no service {request.service!r} is configured")
    if known is None:
        if context.mailboxes.awaits(request.serial):
            raise Refused(Status.DUPLICATE_SERIAL, "an event of an earlier call with this serial is still waiting")
    elif known.state is CallState.CLOSED or known.digest != _digest(request):
        raise Refused(Status.DUPLICATE_SERIAL, "this serial belongs to another call")
    return known is not None


def new_call(context: ProcessingContext, identity: Identity, request: ConnectRequest) -> Call:
    """The call that a request asks for, with its data organized and encoded.

    :raise Refused: 34, 14, 35 or 51.
    """
    serial = request.serial or _allocated(context)
    _check_carriers(context, request.calling_number, serial)
    check_fields(request.fields, context.limits)
    return Call(
        serial=serial,
        agent=request.agent,
        service=request.service,
        identity=identity.name,
        calling_number=request.calling_number,
        digest=_digest(request),
        data=_organized(context, request, serial),
        state=CallState.REQUESTED,
        deadline=context.clock.seconds() + context.services[request.service].timeouts.signalling_timeout,
    )


def _allocated(context: ProcessingContext) -> str:
    try:
        return context.new_serial()
    except SerialError as error:
        raise Refused(Status.TOO_BUSY, str(error)) from None


def _check_carriers(context: ProcessingContext, calling_number: str, serial: str) -> None:
    try:
        context.carrier.embed(calling_number, serial)
        if context.network is not None:
            context.network.embed(calling_number, serial)
    except SerialError as error:
        raise Refused(Status.SERIAL_DOES_NOT_FIT, str(error)) from None
    except Exception as error:  # anybody's carrier; what it says may hold the number
        raise Refused(Status.INTERNAL, f"the carrier failed with {type(error).__name__}") from None


def _organized(context: ProcessingContext, request: ConnectRequest, serial: str) -> bytes:
    """The encoded body of the call's DataResult, made once for all its DataRequests."""
    try:
        fields = context.services[request.service].request.organize(request.fields)
        data = context.codec.encode_body(DataResult(Status.OK, serial, request.agent, fields))
    except (FieldError, CodecError) as error:  # anybody's organizer and codec; what they say may hold the data
        what = f"after organizing, it exceeds a limit of messages ({type(error).__name__})"
        raise Refused(Status.DATA_TOO_LARGE, what) from None
    except Exception as error:
        raise Refused(Status.INTERNAL, f"the organizer failed with {type(error).__name__}") from None
    if context.codec.frame_length(data) > context.ivr_link.max_frame:
        raise Refused(Status.DATA_TOO_LARGE, f"after organizing, it exceeds {context.ivr_link.max_frame} bytes")
    return data


def _digest(request: ConnectRequest) -> bytes:
    """What a repeat of the request has in common with it, and any other use of its serial has not."""
    digest = blake2b(digest_size=16)
    for part in (request.agent, request.service, request.calling_number, *_field_parts(request.fields)):
        data = part if isinstance(part, bytes) else part.encode()
        digest.update(len(data).to_bytes(4) + data)
    return digest.digest()


def _field_parts(fields: Fields) -> Iterable[str | bytes]:
    for name in sorted(fields):
        value = fields[name]
        yield name
        yield type(value).__name__
        yield value if isinstance(value, bytes) else str(value)
