/** One link to an exchange: a session on a transport, with promises for answers. */

import { VERSION } from './codec/messages.js';
import { Status } from './codes.js';
import { BindRefused, BrokenExchange, CallError, LinkLost } from './errors.js';
import { Session } from './session.js';

/** What stands in a request and again in its reply: a yes to something else would give one customer's data to another. */
const ECHOED = {
  ConnectRequest: 'serial',
  CancelRequest: 'serial',
  UpdateRequest: 'serial',
  DataRequest: 'serial',
  ServiceEvent: 'event_id',
};
const KEPT = new Set([Status.OK, Status.QUEUED_AGENT_AWAY, Status.DUPLICATE_EVENT]);

function answers(request, reply) {
  const name = ECHOED[request.kind];
  if (!name || !KEPT.has(reply.status)) return true;
  const asked = request[name];
  return asked === '' ? reply[name] !== '' : String(asked) === String(reply[name]);
}

export class Link {
  #session;
  #transport;
  #clock;
  #timer = null;
  #timerAt = Infinity;
  #closed;
  #gone = false;

  /**
   * @param {object} options
   * @param {object} options.transport
   * @param {object} options.codec
   * @param {number} options.role
   * @param {object} options.clock
   * @param {object} options.owner hears `request(link, message, invokeId)`, `notice(link, message)`,
   *   `error(link, message)`, and by `fault(error)` what its own code threw
   */
  constructor({ transport, codec, role, clock, owner }) {
    this.#transport = transport;
    this.#clock = clock;
    const guarded =
      (name) =>
      (...told) => {
        try {
          owner[name]?.(this, ...told);
        } catch (error) {
          owner.fault?.(error);
        }
      };
    const handler = { request: guarded('request'), notice: guarded('notice'), error: guarded('error') };
    this.#session = new Session({ codec, role, handler, now: clock.now() });
    /** What the BindReply said: features, exchange address, name of the session. */
    this.agreed = null;
    /** Resolves with the reason once the link is gone. */
    this.closed = new Promise((resolve) => {
      this.#closed = resolve;
    });
    transport.ondata = (bytes) => {
      this.#session.receive(bytes, clock.now());
      this.#flush();
    };
    transport.onclose = (reason) => this.#lost(reason);
  }

  /** Whether something new may be asked here. */
  get usable() {
    return !this.#session.ended && !this.#session.leaving;
  }

  /**
   * Opens the session.
   *
   * @throws {BindRefused} the exchange says why not
   */
  async bind({ role, identity, secret, software, features }, timeout) {
    const bind = { role, identity, secret, min_version: VERSION, max_version: VERSION, software, features };
    const reply = await this.#answerTo(
      (answered, deadline) => this.#session.bind(bind, answered, deadline),
      timeout,
    ).catch((error) => {
      throw error instanceof CallError ? new BindRefused(error.status, error.detail) : error;
    });
    if (reply.status !== Status.OK) {
      this.cut('the exchange refused the Bind');
      throw new BindRefused(reply.status, reply.detail);
    }
    if (this.#session.ended) throw new BrokenExchange(this.#session.ended);
    this.agreed = {
      session: reply.session,
      exchangeAddress: reply.exchange_address,
      features: new Set(reply.features.split(' ').filter(Boolean)),
    };
  }

  /**
   * Asks something, and resolves with its own reply, whatever the status.
   *
   * @throws {CallError} the exchange answers with an Error
   * @throws {BrokenExchange} the reply is about something else
   */
  async ask(message, timeout) {
    const reply = await this.#answerTo(
      (answered, deadline) => this.#session.request(message, answered, deadline),
      timeout,
    );
    if (!answers(message, reply)) {
      this.cut(`its reply doesn't match the ${message.kind}`);
      throw new BrokenExchange(`the exchange's reply doesn't match the ${message.kind} that was sent`);
    }
    return reply;
  }

  reply(message, invokeId) {
    this.#session.reply(message, invokeId);
    this.#flush();
  }

  notify(message) {
    this.#session.notify(message);
    this.#flush();
  }

  /** Says goodbye; resolves once the link is gone. */
  leave() {
    this.#session.unbind();
    this.#flush();
    return this.closed;
  }

  /** Ends the link without a goodbye. */
  cut(reason) {
    this.#session.end(reason);
    this.#flush();
  }

  #answerTo(ask, timeout) {
    return new Promise((resolve, reject) => {
      const answered = (error, reply) => (error ? reject(error) : resolve(reply));
      if (this.#gone) answered(new LinkLost(this.#session.ended, false));
      else ask(answered, this.#clock.now() + timeout);
      this.#flush();
    });
  }

  #flush() {
    if (this.#gone) return;
    for (const frame of this.#session.takeOutput()) this.#transport.write(frame);
    if (this.#session.ended) {
      this.#transport.close();
      this.#lost(this.#session.ended);
    } else {
      this.#setTimer();
    }
  }

  /** One timer that may fire too early is cheaper than a new one for each frame. */
  #setTimer() {
    const due = this.#session.nextTick;
    if (due >= this.#timerAt || due === Infinity) return;
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timerAt = due;
    this.#timer = this.#clock.setTimer(Math.max(0, due - this.#clock.now()), () => {
      this.#timer = null;
      this.#timerAt = Infinity;
      this.#session.tick(this.#clock.now());
      this.#flush();
    });
  }

  #lost(reason) {
    if (this.#gone) return;
    this.#gone = true;
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#session.lost(reason);
    this.#closed(this.#session.ended);
  }
}
