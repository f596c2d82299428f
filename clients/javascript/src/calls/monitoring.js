/** Which agent numbers a client follows: those that it has logged in, and those that it only supervises. */

import { MonitorSwitch, Status } from '../codes.js';
import { TRANSIENT, answered } from '../connection.js';
import { CallError, LinkLost, NotConnected } from '../errors.js';
import { MonitoredNumber } from './monitored-number.js';

/** What the exchange grants where it controls calls. */
export const CALLS = 'calls';

function ignore() {}

function isGranted(link) {
  return link.agreed?.features.has(CALLS) ?? false;
}

function checkGranted(link) {
  if (!isGranted(link)) throw new CallError(Status.NOT_SUPPORTED, 'the exchange has granted no call control');
}

export class CallMonitoring {
  #connection;
  #options;
  #numbers = new Map();
  #supervised = new Map();

  /**
   * @param {object} connection the ExchangeConnection
   * @param {object} options as `connectionOptions` gives them
   * @param {(call: object) => Promise<object>} handOver connects a customer to a service
   */
  constructor(connection, options, handOver) {
    this.#connection = connection;
    this.#options = options;
    this.clock = options.clock;
    this.handOver = handOver;
  }

  /** Asks once, on the link where a number is followed, or else on the one that stands. */
  async ask(followed, message, timeout) {
    const link = followed.link ?? this.#connection.link;
    if (!link?.usable) throw new LinkLost('there is no link to the exchange now; nothing was asked', false);
    checkGranted(link);
    return link.ask(message, timeout);
  }

  // ---------------------------------------------------------------- numbers that this client has logged in

  /** A number that is about to log in; false: its calls aren't wanted. */
  own(number, { onCall = ignore, onState = ignore, calls = true }) {
    const followed = new MonitoredNumber(this, number, { onCall, onState, onError: this.#options.onError });
    if (!calls) followed.end(new CallError(Status.NOT_SUPPORTED, 'the number was logged in with `calls: false`'));
    return followed;
  }

  /** Has a number followed that is about to log in on this link; a refusal keeps nobody from logging in. */
  followOwn(followed, link) {
    if (followed.ended || !isGranted(link)) return;
    this.#add(followed);
    followed.follow(link, this.#options.answerTimeout).catch((error) => {
      if (!(error instanceof LinkLost)) this.#options.onError(error);
    });
  }

  /** The application is about to know of it. */
  begin(followed) {
    this.clock.setTimer(0, () => followed.beginTelling());
  }

  // ---------------------------------------------------------------- numbers that are supervised

  /** Follows a number; resolves once its snapshot has come. */
  async supervise(number, { onCall = ignore, onState = ignore, onEnd = ignore }, deadline) {
    const followed = new MonitoredNumber(this, number, { onCall, onState, onError: this.#options.onError });
    try {
      while (!followed.upToDate) await this.#tryToFollow(followed, deadline);
    } catch (error) {
      this.leave(followed, this.#options.answerTimeout, error).catch(ignore);
      throw error;
    }
    this.#supervised.set(followed, onEnd);
    this.begin(followed);
    return followed;
  }

  async #tryToFollow(followed, deadline) {
    const link = await this.#connection.bound(deadline);
    checkGranted(link);
    this.#add(followed);
    const left = () => Math.max(0, deadline - this.clock.now());
    try {
      await followed.follow(link, Math.min(this.#options.answerTimeout, left()));
      await followed.shown(left());
    } catch (error) {
      if (!(error instanceof LinkLost)) throw error;
    }
  }

  /** Follows on a new link what is supervised; where that controls no calls, maybe the next one does. */
  async prepare(link) {
    if (!isGranted(link)) return;
    for (const [followed, onEnd] of this.#supervised) {
      try {
        await followed.follow(link, this.#options.answerTimeout);
      } catch (error) {
        if (!(error instanceof CallError) || TRANSIENT.has(error.status)) throw error; // this link is no use yet
        this.#end(followed, error);
        this.#tellEnd(onEnd, error);
      }
    }
  }

  #tellEnd(onEnd, error) {
    try {
      onEnd(error);
    } catch (fault) {
      this.#options.onError(fault);
    }
  }

  // ---------------------------------------------------------------- what comes, and the end

  /** Something is told of an agent number. */
  received(link, message) {
    for (const followed of [...(this.#numbers.get(message.agent) ?? [])]) followed.received(link, message);
  }

  /** Nothing more is told of a number, as far as this one is concerned. */
  async leave(followed, timeout, why = new NotConnected(`the calls of ${followed.number} are not followed any more`)) {
    const { link, number } = followed;
    this.#end(followed, why);
    if (!link?.usable || this.#numbers.has(number)) return;
    try {
      answered(await link.ask({ kind: 'Monitor', agent: number, mode: MonitorSwitch.STOP }, timeout));
    } catch (error) {
      if (!(error instanceof LinkLost)) throw error; // with its link it has stopped
    }
  }

  /** The client was closed. */
  endAll(error) {
    for (const those of [...this.#numbers.values()]) for (const followed of [...those]) this.#end(followed, error);
  }

  #add(followed) {
    if (!this.#numbers.has(followed.number)) this.#numbers.set(followed.number, new Set());
    this.#numbers.get(followed.number).add(followed);
  }

  #end(followed, error) {
    followed.end(error);
    this.#supervised.delete(followed);
    const those = this.#numbers.get(followed.number);
    those?.delete(followed);
    if (those?.size === 0) this.#numbers.delete(followed.number);
  }
}
