/** The numbers of the wire format that stand for something. */

/** Who speaks on a link. */
export const Role = Object.freeze({ AGENT: 1, SERVICE: 2 });

export const Status = Object.freeze({
  OK: 0,
  MALFORMED: 1,
  UNKNOWN_KIND: 2,
  UNSUPPORTED_VERSION: 3,
  TOO_LONG: 4,
  NOT_ALLOWED_HERE: 5,
  NOT_BOUND: 10,
  REFUSED_CREDENTIALS: 11,
  SESSION_TAKEN_OVER: 13,
  TOO_BUSY: 14,
  GOING_AWAY: 15,
  UNKNOWN_SERIAL: 20,
  NUMBERING_ANEW: 21,
  DUPLICATE_SERIAL: 22,
  ALREADY_FINISHED: 24,
  EVENT_ID_USED: 25,
  OTHER_EXCHANGE: 26,
  UNKNOWN_SERVICE: 30,
  SERVICE_UNREACHABLE: 31,
  SERVICE_REFUSED: 32,
  TIMED_OUT: 33,
  SERIAL_DOES_NOT_FIT: 34,
  DATA_TOO_LARGE: 35,
  MORE_THAN_ALLOWED: 36,
  QUEUED_AGENT_AWAY: 40,
  QUEUE_FULL: 41,
  AGENT_NOT_LOGGED_IN: 42,
  DUPLICATE_EVENT: 43,
  STORE_UNAVAILABLE: 50,
  INTERNAL: 51,
  NO_SUCH_CALL: 60,
  WRONG_STATE: 61,
  NOT_SUPPORTED: 62,
  BUSY: 63,
  NO_ANSWER: 64,
  NO_SUCH_DESTINATION: 65,
  OUT_OF_SERVICE: 66,
  CALL_BUSY: 67,
});

const STATUS_NAMES = new Map(Object.entries(Status).map(([name, code]) => [code, inWords(name)]));

/** The status of this code; one that isn't known is treated as 51. */
export function statusOf(code) {
  return STATUS_NAMES.has(code) ? code : Status.INTERNAL;
}

/** A status in words, for people: `unknown serial`. */
export function statusText(code) {
  return STATUS_NAMES.get(statusOf(code));
}

/** How a call fares: 0 to 3 come from the service, the others from the exchange. */
export const Condition = Object.freeze({
  PROGRESS: 0,
  COMPLETED: 1,
  FAILED: 2,
  ABANDONED: 3,
  CONNECTING: 10,
  CONNECTED: 11,
  DATA_FETCHED: 12,
  RETURNED: 13,
  UNREACHABLE: 14,
  TIMED_OUT: 15,
  CANCELLED: 16,
});

const CONDITION_NAMES = new Map(Object.entries(Condition).map(([name, code]) => [code, inWords(name)]));
const FINAL = new Set([
  Condition.COMPLETED,
  Condition.FAILED,
  Condition.ABANDONED,
  Condition.UNREACHABLE,
  Condition.TIMED_OUT,
  Condition.CANCELLED,
]);
const FINAL_FROM = 0x80;

/** Whether the service's part of the call ends with this condition; of those that aren't known, from 128 on. */
export function isFinal(condition) {
  return FINAL.has(condition) || condition >= FINAL_FROM;
}

/** A condition in words, for people: `data fetched`. */
export function conditionText(condition) {
  return CONDITION_NAMES.get(condition) ?? (isFinal(condition) ? 'ended' : 'progress');
}

/** Where an open hand-off stands, as `openCalls` tells it. */
export const OpenCallState = Object.freeze({ REQUESTED: 0, CONNECTING: 1, CONNECTED: 2, FETCHED: 3, REPORTED: 4 });

/** What a CallControl asks for; in the `actions` of a party, the bit of this number says that it may be asked for now. */
export const Action = Object.freeze({
  MAKE: 1,
  ANSWER: 2,
  REJECT: 3,
  DEFLECT: 4,
  HOLD: 5,
  RETRIEVE: 6,
  CONSULT: 7,
  ALTERNATE: 8,
  RECONNECT: 9,
  TRANSFER: 10,
  BLIND_TRANSFER: 11,
  CONFERENCE: 12,
  ADD_PARTY: 13,
  DROP_PARTY: 14,
  LEAVE: 15,
  CLEAR: 16,
  DIGITS: 17,
  RECORD_START: 18,
  RECORD_PAUSE: 19,
  RECORD_RESUME: 20,
  RECORD_STOP: 21,
  MARK: 22,
  LISTEN: 23,
  WHISPER: 24,
  BARGE: 25,
  INTERCEPT: 26,
  STOP_SUPERVISION: 27,
});

/** Who is a party of a call. */
export const PartyRole = Object.freeze({ CUSTOMER: 0, AGENT: 1, SERVICE: 2, SUPERVISOR: 3, OTHER: 4 });

/** The state of a party; held and held at the phone both mean held. */
export const ConnectionState = Object.freeze({
  INITIATED: 0,
  ALERTING: 1,
  CONNECTED: 2,
  QUEUED: 3,
  FAILED: 4,
  GONE: 5,
  HELD: 6,
  HELD_AT_PHONE: 7,
});

/** What a CallEvent tells; one that is not among these is a change of the call like any other. */
export const CallChange = Object.freeze({
  QUEUED: 1,
  ALERTING: 2,
  ORIGINATED: 3,
  ESTABLISHED: 4,
  HELD: 5,
  RETRIEVED: 6,
  DIVERTED: 7,
  TRANSFERRED: 8,
  CONFERENCED: 9,
  PARTY_DROPPED: 10,
  FAILED: 11,
  CLEARED: 12,
  DATA_CHANGED: 13,
  RECORDING_CHANGED: 14,
  SUPERVISION_CHANGED: 15,
  HANDED_OVER: 16,
  RETURNED: 17,
  ACTIONS_CHANGED: 18,
});

const CHANGE_NAMES = new Map(Object.entries(CallChange).map(([name, code]) => [code, inWords(name)]));

/** What a CallEvent tells, in words, for people: `party dropped`; one that isn't known is `changed`, 0 is `shown`. */
export function callChangeText(code) {
  return CHANGE_NAMES.get(code) ?? (code === 0 ? 'shown' : 'changed');
}

/** Whether a call is recorded. */
export const Recording = Object.freeze({ OFF: 0, ON: 1, PAUSED: 2 });

/** The state of an agent number; 0 to 3 are asked for, NONE stands in `pending_state` alone. */
export const AgentStateCode = Object.freeze({
  LOGGED_OUT: 0,
  NOT_READY: 1,
  READY: 2,
  AFTER_CALL_WORK: 3,
  RESERVED: 4,
  BUSY: 5,
  HOLDING: 6,
  NONE: 255,
});

/** What a Monitor asks for. */
export const MonitorSwitch = Object.freeze({ STOP: 0, START: 1 });

/** Whether pages of a snapshot follow. */
export const Page = Object.freeze({ MORE: 0, LAST: 1 });

/** Whether the `actions` of a party have this one among them. */
export function allows(actions, action) {
  return action < 32 && ((actions >>> action) & 1) === 1; // a shift by 33 is one by 1
}

function inWords(name) {
  return name.toLowerCase().replaceAll('_', ' ');
}
