/** A connection to an exchange: one link after the other, opened again after every loss. */

import { pauseAfter, sleep, systemClock, within } from './clock.js';
import { codecOf } from './codec.js';
import { Status, statusOf } from './codes.js';
import {
  BindRefused,
  BrokenExchange,
  CallError,
  LinkLost,
  NotConnected,
  RequestTimedOut,
  UnsafeLink,
} from './errors.js';
import { Link } from './link.js';

const SOFTWARE = 'ctiex-javascript 0.1.0';
/** What can't succeed by trying again, until somebody changes something. */
const REFUSED_FOR_GOOD = new Set([
  Status.MALFORMED,
  Status.UNSUPPORTED_VERSION,
  Status.NOT_ALLOWED_HERE,
  Status.REFUSED_CREDENTIALS,
]);
/** Statuses that are worth another try a little later. */
export const TRANSIENT = new Set([Status.TOO_BUSY, Status.GOING_AWAY, Status.STORE_UNAVAILABLE]);
const LASTED = 10_000;

/** The application's own callback for faults: what it throws itself has nobody left to go to. */
function unfailing(hears = () => {}) {
  return (error) => {
    try {
      hears(error);
    } catch {
      // the links and the other calls go on
    }
  };
}

/** What all clients have in common; every time in milliseconds. */
export function connectionOptions(given) {
  return {
    identity: '',
    secret: '',
    clock: systemClock,
    random: Math.random,
    answerTimeout: 10_000,
    shortestPause: 500,
    longestPause: 30_000,
    software: SOFTWARE,
    ...given,
    codec: codecOf(given.codec),
    open: given.open ?? (() => openNode(given)),
    onError: unfailing(given.onError),
    onRefused: unfailing(given.onRefused),
  };
}

/** Only here is Node needed, so that browsers can use the rest with a WebSocket. */
async function openNode(options) {
  const { openTcp } = await import('./transport.js');
  return openTcp(options);
}

export class ExchangeConnection {
  #options;
  #role;
  #features;
  #owner;
  #stopping = new AbortController();
  #waiting = new Set();
  #running = false;
  #wasBound = false;
  #current = null;
  #lastError = null;

  /**
   * @param {object} options as `connectionOptions` gives them
   * @param {object} owner what a Link tells, and `prepare(link)`, which may log in before anything else uses the link,
   *   and `refused(error)`, which hears that the exchange lets this identity in no more
   */
  constructor(options, { role, features = '', owner }) {
    this.#options = options;
    this.#role = role;
    this.#features = features;
    this.#owner = owner;
    /** The link that can be used now; null where there is none. */
    this.link = null;
  }

  start() {
    if (!this.#running) this.#run();
    this.#running = true;
  }

  /** Says goodbye; whoever waits for a link hears NotConnected. */
  async stop() {
    this.#stopping.abort();
    this.#settle(new NotConnected('the client was closed'));
    await this.#current?.leave();
  }

  /**
   * A link that is bound and prepared; waits for one until the deadline on the clock.
   *
   * @throws {RequestTimedOut} there is none in time
   * @throws {BindRefused} the exchange doesn't let this identity in
   */
  async bound(deadline) {
    if (this.#stopping.signal.aborted) throw new NotConnected('the client was closed');
    if (this.link?.usable) return this.link;
    const { clock } = this.#options;
    let waiter;
    const coming = new Promise((resolve, reject) => {
      waiter = { resolve, reject };
      this.#waiting.add(waiter);
    });
    try {
      return await within(clock, deadline - clock.now(), coming, 'a link to the exchange');
    } catch (error) {
      if (error instanceof RequestTimedOut) error.cause = this.#lastError;
      throw error;
    } finally {
      this.#waiting.delete(waiter);
    }
  }

  async #run() {
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      const began = this.#options.clock.now();
      try {
        await this.#oneLink();
        failures = this.#options.clock.now() - began > LASTED ? 0 : failures + 1;
      } catch (error) {
        this.#lastError = error;
        failures += 1;
        if (this.#isRefusal(error)) {
          this.#owner.refused?.(error);
          if (!this.#wasBound) this.#stopping.abort();
          this.#settle(error);
          failures = Infinity; // somebody has to change something first: try as seldom as may be
        }
      }
      await this.#pause(failures);
    }
  }

  /** Whether the exchange, or this side, says that it can't work. */
  #isRefusal(error) {
    return (error instanceof BindRefused && REFUSED_FOR_GOOD.has(error.status)) || error instanceof UnsafeLink;
  }

  async #oneLink() {
    const { open, codec, clock, identity, secret, software, answerTimeout } = this.#options;
    const transport = await open();
    const link = new Link({ transport, codec, role: this.#role, clock, owner: this.#owner });
    this.#current = link;
    try {
      if (this.#stopping.signal.aborted) return; // while it was opened
      const word = typeof secret === 'function' ? await secret() : secret;
      const bind = { role: this.#role, identity, secret: word, software, features: this.#features };
      await link.bind(bind, answerTimeout);
      await this.#owner.prepare?.(link);
      if (this.#stopping.signal.aborted) await link.leave();
      else this.#use(link);
      this.#lastError = new LinkLost(await link.closed);
    } finally {
      link.cut('this link is given up');
      this.#current = this.link = null;
    }
  }

  #use(link) {
    this.#wasBound = true;
    this.link = link;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { resolve } of waiting) resolve(link);
  }

  #settle(error) {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }

  #pause(failures) {
    const { clock, random, shortestPause: shortest, longestPause: longest } = this.#options;
    return sleep(clock, pauseAfter(failures - 1, { shortest, longest, random }), this.#stopping.signal);
  }
}

/**
 * Asks until there is an answer: again over lost links, after time-outs, and where the exchange says that it is worth
 * another try. Resolves with the request's own reply, whatever its status.
 *
 * @param {object} message the request, the same at each try
 * @param {object} how
 * @param {(deadline: number) => Promise<Link>} how.nextLink gives the link for the next try
 * @param {number} how.deadline on the clock; what the exchange may have done by then isn't known
 * @param {object} how.options as `connectionOptions` gives them
 * @param {Set<number>} [how.transient] statuses that are worth another try
 * @param {boolean} [how.repeat] false: it isn't one to say twice; it is asked again only if it never went out
 * @param {(tries: number) => void} [how.sends] hears of each try
 */
export async function askUntilAnswered(message, how) {
  const { nextLink, deadline, options, transient = TRANSIENT, repeat = true, sends = () => {} } = how;
  const { clock, random, answerTimeout, shortestPause: shortest, longestPause: longest } = options;
  for (let tries = 0; ; tries += 1) {
    const link = await nextLink(deadline);
    let pause = pauseAfter(tries, { shortest, longest, random });
    let outcome;
    try {
      sends(tries);
      const reply = await link.ask(message, Math.max(0, Math.min(answerTimeout, deadline - clock.now())));
      if (!transient.has(statusOf(reply.status))) return reply;
      outcome = Object.assign(new CallError(reply.status, reply.detail), { retryAfter: reply.retry_after ?? 0 });
      if (outcome.retryAfter) pause = outcome.retryAfter * 1_000 + shortest * random();
    } catch (error) {
      if (!isWorthAnotherTry(error, repeat)) throw error;
      if (error instanceof LinkLost) pause = 0; // the next link has its own pause
      outcome = error;
    }
    if (clock.now() + pause >= deadline) throw outcome;
    await sleep(clock, pause);
  }
}

/**
 * A reply of status 0.
 *
 * @throws {CallError} it is of another one
 */
export function answered(reply) {
  if (reply.status !== Status.OK) throw new CallError(reply.status, reply.detail);
  return reply;
}

function isWorthAnotherTry(error, repeat) {
  if (error instanceof LinkLost) return repeat || !error.sent;
  return repeat && (error instanceof RequestTimedOut || error instanceof BrokenExchange);
}
