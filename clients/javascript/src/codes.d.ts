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
