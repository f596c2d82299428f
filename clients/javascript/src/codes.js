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

function inWords(name) {
  return name.toLowerCase().replaceAll('_', ' ');
}
