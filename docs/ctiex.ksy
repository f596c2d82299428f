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
            kind::monitor: monitor
            kind::monitor_reply: monitor_reply
            kind::agent_state: agent_state
            kind::agent_state_reply: agent_state_reply
            kind::call_control: call_control
            kind::call_control_reply: call_control_reply
            kind::call_data: call_data
            kind::call_data_reply: call_data_reply
            kind::agent_state_event: agent_state_event
            kind::call_event: call_event
            kind::snapshot: snapshot
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
  monitor:
    seq:
      - id: agent
        type: text8
        doc: "agent number that the identity acts for or supervises"
      - id: mode
        type: u1
        enum: monitor_switch
        valid:
          any-of: ["monitor_switch::stop", "monitor_switch::start"]
        doc: "1 starts, and a snapshot follows the reply; 0 stops"
  monitor_reply:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "0: done; else why not"
      - id: detail
        type: text16
        doc: "more than the status says, for people; may be empty, and never tells data of a call"
  agent_state:
    seq:
      - id: agent
        type: text8
        doc: "agent number"
      - id: agent_state
        type: u1
        enum: agent_state_code
        valid:
          any-of: ["agent_state_code::logged_out", "agent_state_code::not_ready", "agent_state_code::ready", "agent_state_code::after_call_work", "agent_state_code::reserved", "agent_state_code::busy", "agent_state_code::holding", "agent_state_code::none"]
        doc: "0 logged out, 1 not ready, 2 ready, 3 after-call work; any other is refused by 1"
      - id: reason
        type: text8
        doc: "of not ready, or the wrap-up code of after-call work: one of those configured"
      - id: device
        type: text8
        doc: "at a login: empty or the agent number: the agent's telephone; off-hook: it is called once and stays off the hook; any other is 65"
      - id: queues
        type: text16
        doc: "at a login: names of queues with spaces between; empty: those configured"
      - id: seconds
        type: u2
        doc: "how long the after-call work may take; 0: as configured"
  agent_state_reply:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "0: taken; else why not"
      - id: detail
        type: text16
        doc: "more than the status says, for people; may be empty, and never tells data of a call"
  call_control:
    seq:
      - id: action
        type: u1
        enum: action
        valid:
          any-of: ["action::make", "action::answer", "action::reject", "action::deflect", "action::hold", "action::retrieve", "action::consult", "action::alternate", "action::reconnect", "action::transfer", "action::blind_transfer", "action::conference", "action::add_party", "action::drop_party", "action::leave", "action::clear", "action::digits", "action::record_start", "action::record_pause", "action::record_resume", "action::record_stop", "action::mark", "action::listen", "action::whisper", "action::barge", "action::intercept", "action::stop_supervision"]
        doc: "what is to be done"
      - id: agent
        type: text8
        doc: "agent number who does it, or whom a supervisor means"
      - id: call
        type: text8
        doc: "id of the call; empty with make"
      - id: other
        type: text8
        doc: "id of the other call, or of the party that is meant"
      - id: destination
        type: text8
        doc: "a number, an agent number, or the name of a queue"
      - id: value
        type: text8
        doc: "the digits to send; the word to mark the call with; agent number at the supervisor's own telephone"
      - id: seconds
        type: u2
        doc: "how long a destination may ring; 0: as configured"
      - id: fields
        type: field_list
        doc: "put over the data of the call, or of the new one"
  call_control_reply:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "0: begun; else why not"
      - id: call
        type: text8
        doc: "id of the call, or of the new one"
      - id: serial
        type: serial_or_empty
        doc: "call serial number of a new call"
      - id: detail
        type: text16
        doc: "more than the status says, for people; may be empty, and never tells data of a call"
  call_data:
    seq:
      - id: agent
        type: text8
        doc: "agent number"
      - id: call
        type: text8
        doc: "id of the call"
      - id: version
        type: u4
        doc: "version of the data that the client knows; 0 before the first"
      - id: fields
        type: field_list
        doc: "put over the data"
      - id: num_drop
        type: u2
      - id: drop
        type: field_name
        repeat: expr
        repeat-expr: num_drop
        doc: "names of the fields to remove"
  call_data_reply:
    seq:
      - id: status
        type: u2
        enum: status
        doc: "0: kept; 22: nothing was changed, the data is of another version; else why not"
      - id: version
        type: u4
        doc: "version of the data now"
      - id: fields
        type: field_list
        doc: "the data now"
      - id: detail
        type: text16
        doc: "more than the status says, for people; may be empty, and never tells data of a call"
  agent_state_event:
    seq:
      - id: agent
        type: text8
        doc: "agent number"
      - id: time
        type: u8
        doc: "when it was told"
      - id: agent_state
        type: u1
        enum: agent_state_code
        valid:
          any-of: ["agent_state_code::logged_out", "agent_state_code::not_ready", "agent_state_code::ready", "agent_state_code::after_call_work", "agent_state_code::reserved", "agent_state_code::busy", "agent_state_code::holding", "agent_state_code::none"]
        doc: "the state now; 4 reserved, 5 busy and 6 holding come of the calls"
      - id: reason
        type: text8
        doc: "of not ready, or the wrap-up code; maybe empty"
      - id: device
        type: text8
        doc: "where the agent is logged in"
      - id: since
        type: u8
        doc: "when it came into that state"
      - id: until
        type: u8
        doc: "when after-call work ends by itself; 0: not by itself"
      - id: pending_state
        type: u1
        enum: agent_state_code
        valid:
          any-of: ["agent_state_code::logged_out", "agent_state_code::not_ready", "agent_state_code::ready", "agent_state_code::after_call_work", "agent_state_code::reserved", "agent_state_code::busy", "agent_state_code::holding", "agent_state_code::none"]
        doc: "what comes into force when the calls are over; 255: nothing"
      - id: pending_reason
        type: text8
        doc: "the reason of that"
      - id: by
        type: text8
        doc: "identity that asked for it; empty: it came of itself"
      - id: queues
        type: text16
        doc: "names of the queues that the agent is a member of, with spaces between"
  call_event:
    seq:
      - id: agent
        type: text8
        doc: "agent number whose call it is, and who is monitored"
      - id: time
        type: u8
        doc: "when it happened"
      - id: event
        type: u1
        enum: call_change
        doc: "what happened; the rest is how the call stands now"
      - id: cause
        type: u1
        doc: "cause value of ITU-T Q.850 where the network gave one; else 0"
      - id: status
        type: u2
        enum: status
        doc: "with failed: why, 62 to 66 or 33; else 0"
      - id: by
        type: text8
        doc: "agent number who asked for it; empty: nobody did, or at the phone"
      - id: call
        type: text8
        doc: "id of the call, the same for its whole life; empty on a page without a call"
      - id: serial
        type: serial_or_empty
        doc: "call serial number that the next ConnectRequest for this call names"
      - id: related
        type: text8
        doc: "of a consultation: id of the call that it is for"
      - id: queue
        type: text8
        doc: "name of the queue that the call came through; maybe empty"
      - id: recording
        type: u1
        enum: recording
        valid:
          any-of: ["recording::off", "recording::on", "recording::paused"]
        doc: "0 not recorded, 1 recorded, 2 paused"
      - id: num_parties
        type: u2
      - id: parties
        type: call_party
        repeat: expr
        repeat-expr: num_parties
        doc: "everybody in the call now"
      - id: version
        type: u4
        doc: "version of the data"
      - id: fields
        type: field_list
        doc: "data of the call; what is secret is masked for all but the agent who has the call"
  snapshot:
    seq:
      - id: agent
        type: text8
        doc: "agent number whose call it is, and who is monitored"
      - id: time
        type: u8
        doc: "when it was so"
      - id: page
        type: u1
        enum: page
        valid:
          any-of: ["page::more", "page::last"]
        doc: "1 on the last page of the snapshot; else 0"
      - id: call
        type: text8
        doc: "id of the call, the same for its whole life; empty on a page without a call"
      - id: serial
        type: serial_or_empty
        doc: "call serial number that the next ConnectRequest for this call names"
      - id: related
        type: text8
        doc: "of a consultation: id of the call that it is for"
      - id: queue
        type: text8
        doc: "name of the queue that the call came through; maybe empty"
      - id: recording
        type: u1
        enum: recording
        valid:
          any-of: ["recording::off", "recording::on", "recording::paused"]
        doc: "0 not recorded, 1 recorded, 2 paused"
      - id: num_parties
        type: u2
      - id: parties
        type: call_party
        repeat: expr
        repeat-expr: num_parties
        doc: "everybody in the call now"
      - id: version
        type: u4
        doc: "version of the data"
      - id: fields
        type: field_list
        doc: "data of the call; what is secret is masked for all but the agent who has the call"
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
  call_party:
    seq:
      - id: id
        type: text8
        doc: "the party's own, the same as long as it is there"
      - id: party_role
        type: u1
        enum: party_role
        valid:
          any-of: ["party_role::customer", "party_role::agent", "party_role::service", "party_role::supervisor", "party_role::other"]
        doc: "who it is"
      - id: number
        type: text8
        doc: "the number of who is there; empty where it isn't known"
      - id: agent
        type: text8
        doc: "agent number; empty where it is no agent"
      - id: connection_state
        type: u1
        enum: connection_state
        valid:
          any-of: ["connection_state::initiated", "connection_state::alerting", "connection_state::connected", "connection_state::queued", "connection_state::failed", "connection_state::gone", "connection_state::held", "connection_state::held_at_phone"]
        doc: "how it is connected"
      - id: actions
        type: u4
        doc: "what the agent may ask for now: bit n stands for action n"
  field_name:
    seq:
      - id: name
        type: name_of_field
        doc: "name of a field"
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
  name_of_field:
    seq:
      - id: len_value
        type: u1
        valid:
          min: 1
          max: 64
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
    48: monitor
    49: monitor_reply
    50: agent_state
    51: agent_state_reply
    52: call_control
    53: call_control_reply
    54: call_data
    55: call_data_reply
    56: agent_state_event
    58: call_event
    60: snapshot
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
    60: no_such_call
    61: wrong_state
    62: not_supported
    63: busy
    64: no_answer
    65: no_such_destination
    66: out_of_service
    67: call_busy
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
  action:
    1: make
    2: answer
    3: reject
    4: deflect
    5: hold
    6: retrieve
    7: consult
    8: alternate
    9: reconnect
    10: transfer
    11: blind_transfer
    12: conference
    13: add_party
    14: drop_party
    15: leave
    16: clear
    17: digits
    18: record_start
    19: record_pause
    20: record_resume
    21: record_stop
    22: mark
    23: listen
    24: whisper
    25: barge
    26: intercept
    27: stop_supervision
  party_role:
    0: customer
    1: agent
    2: service
    3: supervisor
    4: other
  connection_state:
    0: initiated
    1: alerting
    2: connected
    3: queued
    4: failed
    5: gone
    6: held
    7: held_at_phone
  call_change:
    1: queued
    2: alerting
    3: originated
    4: established
    5: held
    6: retrieved
    7: diverted
    8: transferred
    9: conferenced
    10: party_dropped
    11: failed
    12: cleared
    13: data_changed
    14: recording_changed
    15: supervision_changed
    16: handed_over
    17: returned
    18: actions_changed
  recording:
    0: "off"
    1: "on"
    2: paused
  agent_state_code:
    0: logged_out
    1: not_ready
    2: ready
    3: after_call_work
    4: reserved
    5: busy
    6: holding
    255: none
  monitor_switch:
    0: stop
    1: start
  page:
    0: more
    1: last
  field_type:
    0: text
    1: integer
    2: boolean
    3: bytes
    4: decimal
    5: time
