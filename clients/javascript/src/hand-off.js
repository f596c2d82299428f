/** One customer who was handed to an automatic service. */

import { conditionText, isFinal, statusOf } from './codes.js';
import { CallError } from './errors.js';

const MOST_EVENTS = 10_000;

/** An AgentEvent as the application gets it. */
export function eventOf(message) {
  return Object.freeze({
    sequence: message.sequence,
    time: new Date(Number(message.time)),
    agent: message.agent,
    serial: message.serial,
    reference: message.reference,
    condition: message.condition,
    conditionText: conditionText(message.condition),
    final: isFinal(message.condition),
    status: statusOf(message.status),
    fields: message.fields,
  });
}

export class HandOff {
  #client;
  #onEvent;
  #events = [];
  #heard = 0;
  #ended = null;
  #failure = null;
  #settle;
  #changed;
  #tellChange;
  #updates = Promise.resolve();

  /** Made by `AgentClient.connectCustomer`. */
  constructor(client, { serial, agent, reference, onEvent }) {
    this.#client = client;
    this.#onEvent = onEvent;
    this.serial = serial;
    this.agent = agent;
    this.reference = reference;
    /** The ConnectReply; null until it has come. */
    this.reply = null;
    /**
     * Resolves with the final event, whatever it says: its condition tells how the call ended, its fields are the
     * service's result. Rejects with a CallError where no more can be heard of the call.
     */
    this.result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.result.catch(() => {}); // nobody has to wait for it
    this.#expectChange();
  }

  /** The final event; null while the call goes on. */
  get final() {
    return this.#ended;
  }

  /** Every event of this call from the first one, behind the final one it ends. Keeps the last ten thousand. */
  async *events() {
    let seen = 0;
    for (;;) {
      while (seen < this.#heard) {
        const dropped = this.#heard - this.#events.length;
        seen = Math.max(seen, dropped) + 1;
        yield this.#events[seen - 1 - dropped];
      }
      if (this.#ended) return;
      if (this.#failure) throw this.#failure;
      await this.#changed;
    }
  }

  /**
   * Takes the connection back; the final event will say cancelled (16), if nothing else ended the call before.
   *
   * @throws {CallError} 24, it has finished already
   */
  cancel(options) {
    return this.#client.cancel(this.serial, options);
  }

  /**
   * Puts these fields over those of the call; updates of one call go out one after the other.
   *
   * @throws {CallError} 24 once it is reported or over, 35 or 36 where it would become too large
   */
  update(fields, options) {
    const made = this.#updates.then(() => this.#client.update(this.serial, fields, options));
    this.#updates = made.catch(() => {});
    return made;
  }

  // ---------------------------------------------------------------- what the client tells

  /** An event of this call has come; what it rejects with is the application's fault. */
  async heard(event) {
    if (this.#ended || this.#failure) return;
    this.#events.push(event);
    this.#heard += 1;
    if (this.#events.length > MOST_EVENTS) this.#events.shift();
    if (event.final) {
      this.#ended = event;
      this.#settle.resolve(event);
    }
    this.#expectChange();
    await this.#onEvent?.(event);
  }

  /** No more events will come here. */
  failed(error) {
    if (this.#ended || this.#failure) return;
    this.#failure = error;
    this.#settle.reject(error);
    this.#expectChange();
  }

  /** Why nothing more is heard of the call, where that is so; for people. */
  static lost(agent) {
    return new CallError(21, `events of agent ${agent} are lost, and the call is over`);
  }

  #expectChange() {
    this.#tellChange?.();
    this.#changed = new Promise((resolve) => {
      this.#tellChange = resolve;
    });
  }
}
