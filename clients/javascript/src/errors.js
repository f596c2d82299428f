/**
 * Everything that this library raises on purpose: `CodecError` for bytes that are no message and for messages that fit
 * no frame, `LinkError` for a link that can't do what was asked of it, `CallError` for a status other than 0.
 */

import { Status, statusOf, statusText } from './codes.js';

/** The root of them all. */
export class CtiexError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Bytes that are no message, or a message that fits no frame; `status` is the wire's code for it. */
export class CodecError extends CtiexError {
  constructor(message, status = Status.MALFORMED) {
    super(message);
    this.status = status;
  }
}

/** The link, or whoever is at its other end, can't do what was asked. */
export class LinkError extends CtiexError {}

/** The link ended before the answer came. */
export class LinkLost extends LinkError {
  /** @param {boolean} sent whether the request may have reached the exchange */
  constructor(message, sent = true) {
    super(message);
    this.sent = sent;
  }
}

/** The exchange didn't answer in time; it may have done what was asked all the same. */
export class RequestTimedOut extends LinkError {}

/** The exchange said what no exchange may say; it is as if it had said nothing. */
export class BrokenExchange extends LinkError {}

/** The client was closed, or isn't connected yet. */
export class NotConnected extends LinkError {}

/** Nothing is sent: others could read it on the way. */
export class UnsafeLink extends LinkError {}

/** An answer with a status other than 0; `status` says which, 51 standing for those that aren't known. */
export class CallError extends CtiexError {
  constructor(status, detail = '') {
    const known = statusOf(status);
    super(`status ${status} (${statusText(known)})${detail && `: ${detail}`}`);
    this.status = known;
    this.detail = detail;
    /** With status 14: in how many seconds to ask again; 0 where that isn't known. */
    this.retryAfter = 0;
  }
}

/** The exchange refused the Bind. */
export class BindRefused extends CallError {}
