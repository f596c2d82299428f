/**
 * The service's side: take a customer, ask for their data, serve them, report. Needs nothing of Node where `open` gives
 * a transport.
 */

import { within } from './clock.js';
import { ExchangeConnection, TRANSIENT, askUntilAnswered, connectionOptions } from './connection.js';
import { Role, Status } from './codes.js';
import { CallError, NotConnected } from './errors.js';
import { FinishedSerials } from './finished-serials.js';
import { ServedCall } from './served-call.js';

const SERIAL = /^[0-9]{1,20}$/;
const REPORT_WITHIN = 600_000;
const FETCH_WITHIN = 30_000;
const FINISH_WITHIN = 5_000;
const FINISHED_FOR = 60_000;
/** A report keeps its event id, so that it may be said again until it is answered; these two may pass as well. */
const TRANSIENT_REPORT = new Set([...TRANSIENT, Status.INTERNAL]);

/** The customer's number and the serial behind the separator; null as the serial where none stands there. */
export function splitCallingNumber(callingNumber, separator = '**') {
  const at = callingNumber.indexOf(separator);
  const serial = at < 0 ? '' : callingNumber.slice(at + separator.length);
  return SERIAL.test(serial) ? [callingNumber.slice(0, at), serial] : [callingNumber, null];
}

export { ServedCall };

function ignore() {}

export class AutomaticService {
  #options;
  #connections;
  #calls = new Map();
  #finished;
  #stopping = false;
  #turn = 0;

  /** @param {import('./service.js').ServiceOptions} options see the types, or the README */
  constructor(options) {
    this.#options = {
      links: 1,
      maxCalls: 1_000,
      separator: '**',
      accessCodes: null,
      reportWithin: REPORT_WITHIN,
      fetchWithin: FETCH_WITHIN,
      ...connectionOptions(options),
    };
    this.#finished = new FinishedSerials(this.#options.clock, FINISHED_FOR);
    const owner = {
      request: (link, message, invokeId) => this.#asked(link, message, invokeId),
      error: (link, error) => this.#options.onError(new CallError(error.status, error.detail)),
      refused: (error) => this.#options.onRefused(error),
      fault: (error) => this.#options.onError(error),
    };
    const make = () => new ExchangeConnection(this.#options, { role: Role.SERVICE, features: 'updates', owner });
    this.#connections = Array.from({ length: this.#options.links }, make);
  }

  /** How many customers are being served. */
  get calls() {
    return this.#calls.size;
  }

  /**
   * Connects, and connects again after every loss until `stop`. Resolves once the first link is bound.
   *
   * @throws {BindRefused} the exchange doesn't let this identity in
   * @throws {RequestTimedOut} it can't be reached in time; nothing more is tried then
   */
  async start({ timeout = 30_000 } = {}) {
    for (const connection of this.#connections) connection.start();
    try {
      const deadline = this.#options.clock.now() + timeout;
      await Promise.any(this.#connections.map((connection) => connection.bound(deadline)));
    } catch (error) {
      await this.stop();
      throw error.errors?.[0] ?? error;
    }
  }

  /** Takes no more calls, lets those under way finish for a moment, reports the others as failed, and says goodbye. */
  async stop({ finishWithin = FINISH_WITHIN } = {}) {
    this.#stopping = true;
    await this.#allServed(finishWithin);
    for (const call of this.#calls.values()) call.abort(new NotConnected('the service stops'));
    await this.#allServed(finishWithin);
    await Promise.all(this.#connections.map((connection) => connection.stop()));
  }

  #allServed(delay) {
    const served = Promise.all([...this.#calls.values()].map((call) => call.served));
    return this.#calls.size ? within(this.#options.clock, delay, served).catch(ignore) : undefined;
  }

  // ---------------------------------------------------------------- what the exchange asks

  #asked(link, message, invokeId) {
    if (message.kind === 'Connection') {
      const { status, detail, call } = this.#judged(message);
      link.reply({ kind: 'ConnectionReply', status, detail }, invokeId);
      if (call) this.#serve(call);
    } else {
      link.reply({ kind: `${message.kind}Reply` }, invokeId); // always, also of calls that aren't known here
      this.#told(message);
    }
  }

  #told(message) {
    const call = this.#calls.get(message.serial);
    if (message.kind === 'CallEnded') call?.exchangeEnded(message.condition);
    else call?.dataChanged();
  }

  /** Whether a customer is taken; `call` is there where they have to be served now. */
  #judged(connection) {
    const [callingNumber, serial] = splitCallingNumber(connection.calling_number, this.#options.separator);
    const { accessCodes, maxCalls } = this.#options;
    const refused = (status, detail) => ({ status, detail });
    if (this.#calls.get(serial)?.isSameAs(connection)) return { status: Status.OK, detail: '' }; // offered again
    if (this.#stopping) return refused(Status.GOING_AWAY, 'the service stops');
    if (serial === null) return refused(Status.UNKNOWN_SERIAL, 'the call carries no serial');
    if (accessCodes && !accessCodes.includes(connection.access_code)) {
      return refused(Status.UNKNOWN_SERVICE, 'no service under this access code here');
    }
    if (this.#calls.has(serial)) return refused(Status.DUPLICATE_SERIAL, 'another call with this serial is here');
    if (this.#finished.has(serial)) return refused(Status.ALREADY_FINISHED, 'the call has finished here');
    if (this.#calls.size >= maxCalls) return refused(Status.TOO_BUSY, 'as many customers are served as may be');
    return { status: Status.OK, detail: '', call: new ServedCall(this.#needs(), connection, callingNumber, serial) };
  }

  /** What a call needs of its service. */
  #needs() {
    const { clock, fetchWithin, reportWithin, onError } = this.#options;
    return {
      fetch: (message, timeout = fetchWithin) => this.#ask(message, clock.now() + timeout, TRANSIENT),
      report: (message, timeout = reportWithin) => this.#ask(message, clock.now() + timeout, TRANSIENT_REPORT),
      onError,
    };
  }

  /** Any link of this identity will do for a call of it. */
  #ask(message, deadline, transient) {
    return askUntilAnswered(message, {
      nextLink: (until) => this.#anyLink(until),
      deadline,
      options: this.#options,
      transient,
    });
  }

  async #anyLink(deadline) {
    const links = this.#connections.map(({ link }) => link).filter((link) => link?.usable);
    this.#turn += 1;
    if (links.length) return links[this.#turn % links.length];
    try {
      return await Promise.any(this.#connections.map((connection) => connection.bound(deadline)));
    } catch (error) {
      throw error.errors?.[0] ?? error;
    }
  }

  // ---------------------------------------------------------------- serving

  #serve(call) {
    this.#calls.set(call.serial, call);
    call.served = this.#served(call).finally(() => {
      this.#calls.delete(call.serial);
      this.#finished.add(call.serial);
    });
  }

  /** The handler serves the customer; where it ends without a final report the agent gets one all the same. */
  async #served(call) {
    let reason = 'the service ended without a result';
    try {
      await Promise.resolve(); // so that the ConnectionReply goes out before anything else
      await Promise.race([this.#options.handler(call), call.aborted]);
    } catch (error) {
      reason = 'the service failed';
      if (!call.signal.aborted) this.#options.onError(error);
    }
    await call.reportsAnswered;
    if (call.signal.aborted) reason = 'the service stops';
    if (call.reported || call.ended !== null) return;
    await call.fail({ reason }).catch((error) => this.#options.onError(error));
  }
}
