import type { Codec, Message, MessageGiven, Messages } from './codec.js';
import type { CtiexError } from './errors.js';

/** Hears the answer to a request, once: the request's own reply, or why there is none. */
export type Answered = (error: CtiexError | null, reply?: Message) => void;

export interface SessionHandler {
  /** The exchange asks something, to be answered by `reply`. */
  request?(message: Message, invokeId: number): void;
  /** The exchange tells something that isn't answered. */
  notice?(message: Message): void;
  /** The exchange complains of something that no request waits for. */
  error?(message: { kind: 'Error' } & Messages['Error']): void;
}

/** One client's end of a link, without I/O. All times in milliseconds of one clock. */
export class Session {
  constructor(options: { codec: Codec; role: number; handler: SessionHandler; now: number });
  /** Why the link is over; null while it isn't. */
  readonly ended: string | null;
  readonly bound: boolean;
  /** Whether one of both sides is about to close the link. */
  readonly leaving: boolean;
  readonly maxFrame: number;
  readonly maxInFlight: number;
  readonly heartbeat: number;
  /** When `tick` has something to do next. */
  readonly nextTick: number;
  bind(message: Partial<Messages['Bind']>, answered: Answered, deadline?: number): void;
  request(message: MessageGiven, answered: Answered, deadline?: number): void;
  reply(message: MessageGiven, invokeId: number): void;
  notify(message: MessageGiven): void;
  unbind(status?: number, detail?: string): void;
  end(reason: string): void;
  /** The transport is gone: all who wait for an answer hear it. */
  lost(reason: string): void;
  receive(bytes: Uint8Array, now: number): void;
  tick(now: number): void;
  /** The frames to write, in order; each is given once. */
  takeOutput(): Uint8Array[];
}
