/** The root of everything that this library raises on purpose. */
export class CtiexError extends Error {
  /** The serial that was asked for, on what `connectCustomer` rejects with. */
  serial?: string;
}

/** Bytes that are no message, or a message that fits no frame. */
export class CodecError extends CtiexError {
  constructor(message: string, status?: number);
  readonly status: number;
}

export class LinkError extends CtiexError {}

/** The link ended before the answer came. */
export class LinkLost extends LinkError {
  constructor(message: string, sent?: boolean);
  /** Whether the request may have reached the exchange. */
  readonly sent: boolean;
}

/** The exchange didn't answer in time; it may have done what was asked all the same. */
export class RequestTimedOut extends LinkError {}
/** The exchange said what no exchange may say. */
export class BrokenExchange extends LinkError {}
/** The client was closed, or isn't connected yet. */
export class NotConnected extends LinkError {}
/** Nothing is sent: others could read it on the way. */
export class UnsafeLink extends LinkError {}

/** An answer with a status other than 0. */
export class CallError extends CtiexError {
  constructor(status: number, detail?: string);
  /** As in `Status`; 51 for those that aren't known. */
  readonly status: number;
  readonly detail: string;
  /** With status 14: in how many seconds to ask again; 0 where that isn't known. */
  retryAfter: number;
}

/** The exchange refused the Bind. */
export class BindRefused extends CallError {}
