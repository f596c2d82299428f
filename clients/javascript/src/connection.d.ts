import type { Codec, CodecName } from './codec.js';
import type { CtiexError } from './errors.js';
import type { TcpOptions, Transport } from './transport.js';

/** A clock that never steps, and its timers; in milliseconds. */
export interface Clock {
  now(): number;
  setTimer(delay: number, call: () => void): unknown;
  clearTimer(timer: any): void;
}

/** What every client may say of its links. Either `host` and `port`, or `open`. */
export interface ConnectionOptions extends Partial<TcpOptions> {
  /** Opens a transport, in place of TCP. */
  open?: () => Promise<Transport>;
  identity?: string;
  /** The secret or token, or what gives one for each link. */
  secret?: string | (() => string | Promise<string>);
  /** `binary` by default. */
  codec?: CodecName | Codec;
  /** Name and version of the application, for the exchange's log. */
  software?: string;
  /** How long the exchange may take to answer one try, in milliseconds; 10,000 by default. */
  answerTimeout?: number;
  /** Pauses between links, in milliseconds: 500 by default, doubled each time up to 30,000. */
  shortestPause?: number;
  longestPause?: number;
  clock?: Clock;
  /** Numbers from 0 to 1. */
  random?: () => number;
  /** Hears what goes wrong beside any request: callbacks that throw, complaints of the exchange. */
  onError?: (error: Error) => void;
  /** Hears, after it was bound once, that the exchange doesn't let this identity in any more. It goes on trying, seldom. */
  onRefused?: (error: CtiexError) => void;
}
