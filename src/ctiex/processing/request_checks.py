"""What a ConnectRequest or an UpdateRequest has to pass before it becomes a call's data, in the order of the wire."""

from __future__ import annotations

from attrs import evolve

from ctiex.errors import CodecError, FieldError, SerialError, Status
from ctiex.fields import Fields
from ctiex.identities import Identity
from ctiex.interfaces import decoded
from ctiex.messages import KIND_OF, AgentEvent, Condition, ConnectRequest, DataResult, UpdateRequest
from ctiex.processing.context import ProcessingContext
from ctiex.processing.presence import AgentConnection
from ctiex.processing.quotas import Refused, check_fields
from ctiex.records import Call, CallState

_LONGEST_ESCAPE = 6
"""What one letter of a text takes on a link at most, in bytes: JSON writes a control character so."""
_REST_OF_EVENT = 400
"""What an AgentEvent without fields takes beside its texts, at most."""


def is_repeat(
    context: ProcessingContext, request: ConnectRequest, connection: AgentConnection, known: Call | None
) -> bool:
    """Whether it is a repeat of a call that is open: answered like the first, and no more.

    :param known: the call that has its serial.
    :raise Refused: 42, 22, 24 or 30.
    """
    if not context.presence.is_on(request.agent, connection):
        raise Refused(Status.AGENT_NOT_LOGGED_IN, "AgentLogin of this agent number is needed on this link")
    if known is not None:
        _check_repeat(context, request, known)
    elif context.mailboxes.awaits(request.serial):
        raise Refused(Status.DUPLICATE_SERIAL, "an event of an earlier call with this serial is still waiting")
    elif request.service not in context.services:
        raise Refused(Status.UNKNOWN_SERVICE, f"no service {request.service!r} is configured")
    return known is not None


def _check_repeat(context: ProcessingContext, request: ConnectRequest, known: Call) -> None:
    if known.digest != context.digests.of_request(request):
        raise Refused(Status.DUPLICATE_SERIAL, "this serial belongs to another call")
    if known.state is CallState.CLOSED:
        raise Refused(Status.ALREADY_FINISHED, "this call has ended")


def new_call(context: ProcessingContext, identity: Identity, request: ConnectRequest) -> Call:
    """The call that a request asks for, with its data organized and encoded.

    :raise Refused: 36, 34, 35, 14 or 51.
    """
    check_fields(request.fields, context.limits)
    serial = request.serial or _allocated(context)
    _check_carriers(context, request.calling_number, serial)
    result = DataResult(Status.OK, serial, request.agent, request.reference)
    data, asked = _organized(context, request.service, result, _with_call_data(context, request))
    _check_events(context, request, serial)
    now = context.clock.now()
    return Call(
        serial=serial,
        agent=request.agent,
        service=request.service,
        identity=identity.name,
        calling_number=request.calling_number,
        digest=context.digests.of_request(request),
        data=data,
        state=CallState.REQUESTED,
        deadline=context.clock.seconds() + context.services[request.service].timeouts.signalling_timeout,
        reference=request.reference,
        asked=asked,
        begun=context.begins(now),
        since=now,
    )


def _with_call_data(context: ProcessingContext, request: ConnectRequest) -> Fields:
    """The fields of a request, and of the agent's call those that the service takes from there.

    :raise Refused: 36, more fields than are ever allowed.
    """
    wanted = context.services[request.service].from_call_data
    if not wanted or not request.serial:
        return request.fields
    of_call = {name: value for name, value in context.agents_calls.data_of(request.serial).items() if name in wanted}
    fields = Fields.trusted({**of_call, **dict(request.fields)})
    check_fields(fields, context.limits)
    return fields


def _check_events(context: ProcessingContext, request: ConnectRequest, serial: str) -> None:
    """Check that the agent can be told how the call ends: text may be longer on the agent link than it is.

    :raise Refused: with 35.
    """
    if _LONGEST_ESCAPE * (len(request.agent) + len(request.reference)) + _REST_OF_EVENT <= context.agent_link.max_frame:
        return
    last = AgentEvent(2**64 - 1, 2**64 - 1, request.agent, serial, request.reference, Condition.UNREACHABLE, 2**16 - 1)
    if not context.fits_agent_link(last):
        what = f"the call's events would exceed {context.agent_link.max_frame} bytes"
        raise Refused(Status.DATA_TOO_LARGE, what)


def updated_call(context: ProcessingContext, call: Call, fields: Fields) -> Call:
    """A call with these fields put over those that it has, and organized anew.

    :raise Refused: 36, 35, 51 or 14.
    """
    put_over = Fields.trusted({**dict(_asked_for(context, call)), **dict(fields)})
    check_fields(put_over, context.limits)
    result = DataResult(Status.OK, call.serial, call.agent, call.reference)
    updated = call.updated(*_organized(context, call.service, result, put_over))
    context.quotas.check_growth(call, updated)
    return updated


def _asked_for(context: ProcessingContext, call: Call) -> Fields:
    kind, body = (KIND_OF[UpdateRequest], call.asked) if call.asked else (KIND_OF[DataResult], call.data)
    message = decoded(context.codec, kind, body)
    assert isinstance(message, (UpdateRequest, DataResult))
    return message.fields


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


def _organized(context: ProcessingContext, service: str, result: DataResult, asked: Fields) -> tuple[bytes, bytes]:
    """The encoded body of the call's DataResult, made once for all its DataRequests; and the fields as asked for.

    Those are empty where they are in the DataResult as they are.
    """
    try:
        fields = context.services[service].request.organize(asked)
        data = context.codec.encode_body(evolve(result, fields=fields))
        same = fields is asked or fields == asked
        kept = b"" if same else context.codec.encode_body(UpdateRequest(result.serial, asked))
    except (FieldError, CodecError) as error:  # anybody's organizer and codec; what they say may hold the data
        what = f"after organizing, it exceeds a limit of messages ({type(error).__name__})"
        raise Refused(Status.DATA_TOO_LARGE, what) from None
    except Exception as error:
        raise Refused(Status.INTERNAL, f"the organizer failed with {type(error).__name__}") from None
    if context.codec.frame_length(data) > context.ivr_link.max_frame:
        raise Refused(Status.DATA_TOO_LARGE, f"after organizing, it exceeds {context.ivr_link.max_frame} bytes")
    return data, kept
