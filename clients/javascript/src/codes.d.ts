export const Role: { readonly AGENT: 1; readonly SERVICE: 2 };

export const Status: {
  readonly OK: 0;
  readonly MALFORMED: 1;
  readonly UNKNOWN_KIND: 2;
  readonly UNSUPPORTED_VERSION: 3;
  readonly TOO_LONG: 4;
  readonly NOT_ALLOWED_HERE: 5;
  readonly NOT_BOUND: 10;
  readonly REFUSED_CREDENTIALS: 11;
  readonly SESSION_TAKEN_OVER: 13;
  readonly TOO_BUSY: 14;
  readonly GOING_AWAY: 15;
  readonly UNKNOWN_SERIAL: 20;
  readonly NUMBERING_ANEW: 21;
  readonly DUPLICATE_SERIAL: 22;
  readonly ALREADY_FINISHED: 24;
  readonly EVENT_ID_USED: 25;
  readonly OTHER_EXCHANGE: 26;
  readonly UNKNOWN_SERVICE: 30;
  readonly SERVICE_UNREACHABLE: 31;
  readonly SERVICE_REFUSED: 32;
  readonly TIMED_OUT: 33;
  readonly SERIAL_DOES_NOT_FIT: 34;
  readonly DATA_TOO_LARGE: 35;
  readonly MORE_THAN_ALLOWED: 36;
  readonly QUEUED_AGENT_AWAY: 40;
  readonly QUEUE_FULL: 41;
  readonly AGENT_NOT_LOGGED_IN: 42;
  readonly DUPLICATE_EVENT: 43;
  readonly STORE_UNAVAILABLE: 50;
  readonly INTERNAL: 51;
  readonly NO_SUCH_CALL: 60;
  readonly WRONG_STATE: 61;
  readonly NOT_SUPPORTED: 62;
  readonly BUSY: 63;
  readonly NO_ANSWER: 64;
  readonly NO_SUCH_DESTINATION: 65;
  readonly OUT_OF_SERVICE: 66;
  readonly CALL_BUSY: 67;
};

/** The status of this code; one that isn't known is treated as 51. */
export function statusOf(code: number): number;
/** A status in words, for people. */
export function statusText(code: number): string;

export const Condition: {
  readonly PROGRESS: 0;
  readonly COMPLETED: 1;
  readonly FAILED: 2;
  readonly ABANDONED: 3;
  readonly CONNECTING: 10;
  readonly CONNECTED: 11;
  readonly DATA_FETCHED: 12;
  readonly RETURNED: 13;
  readonly UNREACHABLE: 14;
  readonly TIMED_OUT: 15;
  readonly CANCELLED: 16;
};

/** Whether the service's part of the call ends with this condition; of those that aren't known, from 128 on. */
export function isFinal(condition: number): boolean;
/** A condition in words, for people. */
export function conditionText(condition: number): string;

export const OpenCallState: {
  readonly REQUESTED: 0;
  readonly CONNECTING: 1;
  readonly CONNECTED: 2;
  readonly FETCHED: 3;
  readonly REPORTED: 4;
};

/** What a CallControl asks for; in the `actions` of a party, the bit of this number says that it may be asked for now. */
export const Action: {
  readonly MAKE: 1;
  readonly ANSWER: 2;
  readonly REJECT: 3;
  readonly DEFLECT: 4;
  readonly HOLD: 5;
  readonly RETRIEVE: 6;
  readonly CONSULT: 7;
  readonly ALTERNATE: 8;
  readonly RECONNECT: 9;
  readonly TRANSFER: 10;
  readonly BLIND_TRANSFER: 11;
  readonly CONFERENCE: 12;
  readonly ADD_PARTY: 13;
  readonly DROP_PARTY: 14;
  readonly LEAVE: 15;
  readonly CLEAR: 16;
  readonly DIGITS: 17;
  readonly RECORD_START: 18;
  readonly RECORD_PAUSE: 19;
  readonly RECORD_RESUME: 20;
  readonly RECORD_STOP: 21;
  readonly MARK: 22;
  readonly LISTEN: 23;
  readonly WHISPER: 24;
  readonly BARGE: 25;
  readonly INTERCEPT: 26;
  readonly STOP_SUPERVISION: 27;
};

/** Who is a party of a call. */
export const PartyRole: {
  readonly CUSTOMER: 0;
  readonly AGENT: 1;
  readonly SERVICE: 2;
  readonly SUPERVISOR: 3;
  readonly OTHER: 4;
};

/** The state of a party; held and held at the phone both mean held. */
export const ConnectionState: {
  readonly INITIATED: 0;
  readonly ALERTING: 1;
  readonly CONNECTED: 2;
  readonly QUEUED: 3;
  readonly FAILED: 4;
  readonly GONE: 5;
  readonly HELD: 6;
  readonly HELD_AT_PHONE: 7;
};

/** What a CallEvent tells; one that is not among these is a change of the call like any other. */
export const CallChange: {
  readonly QUEUED: 1;
  readonly ALERTING: 2;
  readonly ORIGINATED: 3;
  readonly ESTABLISHED: 4;
  readonly HELD: 5;
  readonly RETRIEVED: 6;
  readonly DIVERTED: 7;
  readonly TRANSFERRED: 8;
  readonly CONFERENCED: 9;
  readonly PARTY_DROPPED: 10;
  readonly FAILED: 11;
  readonly CLEARED: 12;
  readonly DATA_CHANGED: 13;
  readonly RECORDING_CHANGED: 14;
  readonly SUPERVISION_CHANGED: 15;
  readonly HANDED_OVER: 16;
  readonly RETURNED: 17;
  readonly ACTIONS_CHANGED: 18;
};

/** What a CallEvent tells, in words, for people; one that isn't known is `changed`, 0 is `shown`. */
export function callChangeText(code: number): string;

/** Whether a call is recorded. */
export const Recording: {
  readonly OFF: 0;
  readonly ON: 1;
  readonly PAUSED: 2;
};

/** The state of an agent number; 0 to 3 are asked for, NONE stands in `pending_state` alone. */
export const AgentStateCode: {
  readonly LOGGED_OUT: 0;
  readonly NOT_READY: 1;
  readonly READY: 2;
  readonly AFTER_CALL_WORK: 3;
  readonly RESERVED: 4;
  readonly BUSY: 5;
  readonly HOLDING: 6;
  readonly NONE: 255;
};

/** What a Monitor asks for. */
export const MonitorSwitch: {
  readonly STOP: 0;
  readonly START: 1;
};

/** Whether pages of a snapshot follow. */
export const Page: {
  readonly MORE: 0;
  readonly LAST: 1;
};

/** Whether the `actions` of a party have this one among them. */
export function allows(actions: number, action: number): boolean;
