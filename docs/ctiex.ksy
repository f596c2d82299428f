meta:
  id: ctiex
  title: "CTIEX wire format, version 2"
  endian: be
  encoding: "UTF-8"
doc: "Frames of one direction of a CTIEX link, version 2, binary codec. Not checked here: that names of fields are unique, that serials are ASCII digits, how decimals are written, and the limit on the length of a frame. The body of an unknown kind is all that is left of its frame: where such a frame has extensions, reading it ends too early, so look at the kind first."
seq:
  - id: frames
    type: frame
    repeat: eos
types:
  frame:
    seq:
      - id: length
        type: u4
      - id: content
        type: content
        size: length
  content:
    seq:
      - id: version
        type: u1
        valid: 2
      - id: kind
        type: u1
        enum: kind
      - id: flags
        type: u2
        valid:
          any-of: [0, 1]
      - id: invoke_id
        type: u4
      - id: body
        type:
          switch-on: kind
          cases:
            kind::bind: bind
            kind::bind_reply: bind_reply
            kind::unbind: unbind
            kind::unbind_reply: unbind_reply
            kind::ping: ping
            kind::pong: pong
            kind::error: error
            kind::agent_login: agent_login
            kind::agent_login_reply: agent_login_reply
            kind::agent_logout: agent_logout
            kind::agent_logout_reply: agent_logout_reply
            kind::connect_request: connect_request
            kind::connect_reply: connect_reply
            kind::cancel_request: cancel_request
            kind::cancel_reply: cancel_reply
            kind::agent_event: agent_event
            kind::agent_event_ack: agent_event_ack
            kind::call_query: call_query
            kind::call_query_reply: call_query_reply
            kind::update_request: update_request
            kind::update_reply: update_reply
            kind::connection: connection
            kind::connection_reply: connection_reply
            kind::data_request: data_request
            kind::data_result: data_result
            kind::service_event: service_event
            kind::service_event_reply: service_event_reply
            kind::call_ended: call_ended
            kind::call_ended_reply: call_ended_reply
            kind::data_changed: data_changed
            kind::data_changed_reply: data_changed_reply
            "_": unknown
      - id: extensions
        type: extension_list
        if: "flags == 1"
      - id: left_over
        size-eos: true
        valid:
          expr: "_.length == 0"
  bind:
    seq:
      - id: role
        type: u1
        enum: role
        valid:
          any-of: ["role::agent", "role::service"]
        doc: "who speaks: 1 agent, 2 automatic service"
      - id: identity
        type: text8
        doc: "the name under which the client is configured at the exchange"
      - id: secret
        type: text16
        doc: "its secret, or a token; empty if the client's certificate says who it is"
      - id: min_version
        type: u1
        doc: "lowest version of the wire format that the client speaks"
      - id: max_version
        type: u1
        doc: "highest version that it speaks"
      - id: software
        type: text8
        doc: "name and version of the client's software, for the exchange's log"
      - id: features
        type: text16
        doc: "those that the client wants: feature words with spaces between; unknown ones are ignored"
  bind_reply:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "0: bound; any other says why not, and ends the link"
      - id: version
        type: u1
        doc: "version that is spoken; with status 3 the highest one supported"
      - id: session
        type: text8
        doc: "name of this session in the exchange's log"
      - id: heartbeat_s
        type: u2
        doc: "silence after which the exchange pings"
      - id: max_frame
        type: u4
        doc: "greatest value of a frame's length, in both directions"
      - id: max_in_flight
        type: u2
        doc: "most requests of the client that may wait for their answers"
      - id: exchange_address
        type: text8
        doc: "advertised address of the exchange's IVR link, `host:port`"
      - id: features
        type: text16
        doc: "those that the link has: feature words with spaces between"
      - id: detail
        type: text16
        doc: "more than the status says, for people; may be empty, and never tells data of a call"
  unbind:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "why the sender leaves; 0: it is done"
      - id: detail
        type: text16
        doc: "more than the status says, for people; may be empty, and never tells data of a call"
  unbind_reply:
    seq: []
  ping:
    seq: []
  pong:
    seq: []
  error:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "what is wrong"
      - id: about
        type: u1
        doc: "kind of the frame that it is about; 0 where its header could not be used"
      - id: detail
        type: text16
        doc: "more than the status says, for people; may be empty, and never tells data of a call"
  agent_login:
    seq:
      - id: agent
        type: text8
        doc: "agent number"
      - id: epoch
        type: u8
        doc: "epoch of resume_after; 0: the client has no position"
      - id: resume_after
        type: u8
        doc: "last event that the client has; those after it are sent again"
  agent_login_reply:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "0: logged in; 21: logged in, and the numbering is another one; else why not"
      - id: epoch
        type: u8
        doc: "which numbering the sequences belong to; 0 in a refusal"
      - id: first_sequence
        type: u8
        doc: "first event that can still be sent again; last_sequence + 1 if none"
      - id: last_sequence
        type: u8
        doc: "last event that was numbered; 0: none yet"
      - id: detail
        type: text16
        doc: "more than the status says, for people; may be empty, and never tells data of a call"
  agent_logout:
    seq:
      - id: agent
        type: text8
        doc: "agent number"
  agent_logout_reply:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "0: logged out; else why not"
  connect_request:
    seq:
      - id: serial
        type: serial_or_empty
        doc: "call serial number; empty: the exchange allocates one"
      - id: agent
        type: text8
        doc: "agent number, logged in on this link"
      - id: service
        type: text8
        doc: "name of the automatic service, as the exchange configures it"
      - id: calling_number
        type: text8
        doc: "the customer's number, without a serial"
      - id: reference
        type: text8
        doc: "the client's own name for the call: opaque, it stands in all that is said of it"
      - id: fields
        type: field_list
        doc: "channel associated data for the service"
  connect_reply:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "0: the call is kept; else why not"
      - id: serial
        type: serial_or_empty
        doc: "call serial number, allocated where none was asked for"
      - id: retry_after
        type: u2
        doc: "with status 14: when to ask again; 0: not known"
      - id: detail
        type: text16
        doc: "more than the status says, for people; may be empty, and never tells data of a call"
  cancel_request:
    seq:
      - id: serial
        type: serial
        doc: "call serial number"
  cancel_reply:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "0: cancelled; the agent hears 16; else why not"
      - id: serial
        type: serial_or_empty
        doc: "call serial number of the request"
      - id: detail
        type: text16
        doc: "more than the status says, for people; may be empty, and never tells data of a call"
  agent_event:
    seq:
      - id: sequence
        type: u8
        doc: "number of the event, from 1 for each agent number in each epoch"
      - id: time
        type: u8
        doc: "when it happened"
      - id: agent
        type: text8
        doc: "agent number"
      - id: serial
        type: serial
        doc: "call serial number"
      - id: reference
        type: text8
        doc: "what the ConnectRequest said: opaque to the exchange"
      - id: condition
        type: u1
        enum: condition
        doc: "what happened; one that a reader doesn't know is progress, from 128 on final"
      - id: status
        type: u2
        enum: status
        doc: "0; with condition 14 why: 31, 32 or 33; with condition 15: 33"
      - id: fields
        type: field_list
        doc: "the service's result, organized for the agent"
  agent_event_ack:
    seq:
      - id: agent
        type: text8
        doc: "agent number"
      - id: sequence
        type: u8
        doc: "the client has this event, and every one before it"
  call_query:
    seq:
      - id: agent
        type: text8
        doc: "agent number whose open hand-offs are asked for"
  call_query_reply:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "0: all of them; 35: the first ones that fit a frame; else why not"
      - id: num_calls
        type: u2
      - id: calls
        type: open_call
        repeat: expr
        repeat-expr: num_calls
        doc: "the open hand-offs, the oldest first"
  update_request:
    seq:
      - id: serial
        type: serial
        doc: "call serial number"
      - id: fields
        type: field_list
        doc: "put over the fields of the call; none can be removed"
  update_reply:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "0: kept; else why not"
      - id: serial
        type: serial_or_empty
        doc: "call serial number of the request"
      - id: detail
        type: text16
        doc: "more than the status says, for people; may be empty, and never tells data of a call"
  connection:
    seq:
      - id: access_code
        type: text8
        doc: "says which service is wanted, as the exchange configures it"
      - id: calling_number
        type: text8
        doc: "the customer's number, the separator `**`, and the call serial number"
      - id: exchange_address
        type: text8
        doc: "advertised address of the exchange's IVR link, `host:port`"
  connection_reply:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "0: the service takes the customer; else why not"
      - id: detail
        type: text16
        doc: "more than the status says, for people; may be empty, and never tells data of a call"
  data_request:
    seq:
      - id: serial
        type: serial
        doc: "call serial number"
      - id: exchange_address
        type: text8
        doc: "the one of the Connection, or empty"
  data_result:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "0: here is the data; else why not"
      - id: serial
        type: serial_or_empty
        doc: "call serial number of the request"
      - id: agent
        type: text8
        doc: "agent number who handed the customer over"
      - id: reference
        type: text8
        doc: "what the ConnectRequest said: opaque to the exchange"
      - id: fields
        type: field_list
        doc: "the call's data, organized for the service"
  service_event:
    seq:
      - id: event_id
        type: u8
        doc: "the service's number for this report, unique within the serial"
      - id: serial
        type: serial
        doc: "call serial number"
      - id: agent
        type: text8
        doc: "the call's agent number, or empty"
      - id: condition
        type: u1
        enum: condition
        valid:
          any-of: ["condition::progress", "condition::completed", "condition::failed", "condition::abandoned"]
        doc: "0 progress; final: 1 completed, 2 failed, 3 abandoned by the customer"
      - id: fields
        type: field_list
        doc: "the service's result"
  service_event_reply:
    seq:
      - id: event_id
        type: u8
        doc: "that of the report"
      - id: status
        type: u2
        enum: status
        doc: "0: kept, and the agent is logged in; 40: kept; 43: it was kept before; else why not"
  call_ended:
    seq:
      - id: serial
        type: serial
        doc: "call serial number"
      - id: condition
        type: u1
        enum: condition
        doc: "what the agent was told: 3, 14, 15 or 16"
  call_ended_reply:
    seq: []
  data_changed:
    seq:
      - id: serial
        type: serial
        doc: "call serial number"
  data_changed_reply:
    seq: []
  open_call:
    seq:
      - id: serial
        type: serial
        doc: "call serial number"
      - id: service
        type: text8
        doc: "name of the automatic service, as the ConnectRequest said it"
      - id: reference
        type: text8
        doc: "what the ConnectRequest said: opaque to the exchange"
      - id: state
        type: u1
        enum: open_call_state
        valid:
          any-of: ["open_call_state::requested", "open_call_state::connecting", "open_call_state::connected", "open_call_state::fetched", "open_call_state::reported"]
        doc: "where the hand-off stands"
      - id: since
        type: u8
        doc: "when it came into that state"
  text8:
    seq:
      - id: len_value
        type: u1
      - id: value
        type: str
        size: len_value
        encoding: "UTF-8"
  text16:
    seq:
      - id: len_value
        type: u2
      - id: value
        type: str
        size: len_value
        encoding: "UTF-8"
  serial:
    seq:
      - id: len_value
        type: u1
        valid:
          min: 1
          max: 20
      - id: value
        type: str
        size: len_value
        encoding: "ASCII"
  serial_or_empty:
    seq:
      - id: len_value
        type: u1
        valid:
          max: 20
      - id: value
        type: str
        size: len_value
        encoding: "ASCII"
  field_list:
    seq:
      - id: num_items
        type: u2
      - id: items
        type: field
        repeat: expr
        repeat-expr: num_items
  field:
    seq:
      - id: len_name
        type: u1
        valid:
          min: 1
          max: 64
      - id: name
        type: str
        size: len_name
        encoding: "UTF-8"
      - id: type
        type: u1
        enum: field_type
        valid:
          any-of: ["field_type::text", "field_type::integer", "field_type::boolean", "field_type::bytes", "field_type::decimal", "field_type::time"]
      - id: len_value
        type: u2
      - id: value
        size: len_value
        type:
          switch-on: type
          cases:
            field_type::text: text_value
            field_type::integer: integer_value
            field_type::boolean: boolean_value
            field_type::decimal: decimal_value
            field_type::time: time_value
  text_value:
    seq:
      - id: value
        type: str
        size-eos: true
        encoding: "UTF-8"
  integer_value:
    seq:
      - id: value
        type: s8
      - id: left_over
        size-eos: true
        valid:
          expr: "_.length == 0"
  boolean_value:
    seq:
      - id: value
        type: u1
        valid:
          max: 1
      - id: left_over
        size-eos: true
        valid:
          expr: "_.length == 0"
  decimal_value:
    seq:
      - id: value
        type: str
        size-eos: true
        encoding: "ASCII"
  time_value:
    seq:
      - id: value
        type: s8
        valid:
          min: -62135596800000
          max: 253402300799999
        doc: "milliseconds since 1970-01-01 UTC"
      - id: left_over
        size-eos: true
        valid:
          expr: "_.length == 0"
  unknown:
    seq:
      - id: value
        size-eos: true
  extension_list:
    seq:
      - id: num_items
        type: u1
      - id: items
        type: extension
        repeat: expr
        repeat-expr: num_items
  extension:
    seq:
      - id: type
        type: u2
      - id: len_value
        type: u2
      - id: value
        size: len_value
enums:
  kind:
    1: bind
    2: bind_reply
    3: unbind
    4: unbind_reply
    5: ping
    6: pong
    7: error
    16: agent_login
    17: agent_login_reply
    18: agent_logout
    19: agent_logout_reply
    20: connect_request
    21: connect_reply
    22: cancel_request
    23: cancel_reply
    24: agent_event
    25: agent_event_ack
    26: call_query
    27: call_query_reply
    28: update_request
    29: update_reply
    32: connection
    33: connection_reply
    34: data_request
    35: data_result
    36: service_event
    37: service_event_reply
    38: call_ended
    39: call_ended_reply
    40: data_changed
    41: data_changed_reply
  role:
    1: agent
    2: service
  status:
    0: ok
    1: malformed
    2: unknown_kind
    3: unsupported_version
    4: too_long
    5: not_allowed_here
    10: not_bound
    11: refused_credentials
    13: session_taken_over
    14: too_busy
    15: going_away
    20: unknown_serial
    21: numbering_anew
    22: duplicate_serial
    24: already_finished
    25: event_id_used
    26: other_exchange
    30: unknown_service
    31: service_unreachable
    32: service_refused
    33: timed_out
    34: serial_does_not_fit
    35: data_too_large
    36: more_than_allowed
    40: queued_agent_away
    41: queue_full
    42: agent_not_logged_in
    43: duplicate_event
    50: store_unavailable
    51: internal
  condition:
    0: progress
    1: completed
    2: failed
    3: abandoned
    10: connecting
    11: connected
    12: data_fetched
    13: returned
    14: unreachable
    15: timed_out
    16: cancelled
  open_call_state:
    0: requested
    1: connecting
    2: connected
    3: fetched
    4: reported
  field_type:
    0: text
    1: integer
    2: boolean
    3: bytes
    4: decimal
    5: time
