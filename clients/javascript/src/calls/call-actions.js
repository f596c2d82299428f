/**
 * What may be asked for with a call. Each method sends one CallControl, once, and resolves when the exchange has answered
 * that it is begun; what becomes of it is told by changes, and `until` waits for one.
 */

import { Action } from '../codes.js';

export class CallActions {
  /**
   * Asks for an action on this call; a Call does that.
   *
   * @throws {CallError} the exchange refuses (60 to 67), or has granted no call control (62)
   * @throws {LinkLost} the link was lost before the answer, or there is none; nothing is asked again, since it may have
   *   been done: the snapshot behind the next Bind shows it
   * @throws {RequestTimedOut} no answer in time
   */
  async control(action, words, options) {
    throw new TypeError(`nobody asks for ${action} with ${words} and ${options}`);
  }

  /** The call that an action has brought about. */
  brought(reply) {
    throw new TypeError(`nobody makes a call of ${reply}`);
  }

  async #do(action, words, options) {
    await this.control(action, words, options);
  }

  // ---------------------------------------------------------------- a call that rings

  /** Has the phone that rings answer; 62 where the platform can't. */
  answer(options) {
    return this.#do(Action.ANSWER, {}, options);
  }

  /** Doesn't take the call that rings. */
  reject(options) {
    return this.#do(Action.REJECT, {}, options);
  }

  /** Has the call that rings ring elsewhere. */
  deflect(destination, options) {
    return this.#do(Action.DEFLECT, { destination }, options);
  }

  // ---------------------------------------------------------------- hold and consultation

  /** Holds the other side, who hears music. */
  hold(options) {
    return this.#do(Action.HOLD, {}, options);
  }

  /** Fetches the other side back from hold. */
  retrieve(options) {
    return this.#do(Action.RETRIEVE, {}, options);
  }

  /** Holds the other side, and calls somebody about it: resolves with the consultation, which is a call of its own. */
  async consult(destination, fields = {}, options = {}) {
    return this.brought(await this.control(Action.CONSULT, { destination, fields }, options));
  }

  /** Holds who is talked with, and talks with who is held, in this call and its consultation. */
  alternate(options) {
    return this.#do(Action.ALTERNATE, {}, options);
  }

  /** Ends the consultation, also one that still rings, and goes back to the call that it is for. */
  reconnect(options) {
    return this.#do(Action.RECONNECT, {}, options);
  }

  // ---------------------------------------------------------------- transfer and conference

  /**
   * Connects who is held with who was consulted, and leaves them. With a destination: sends the other side there at once
   * (blind), with these fields put over the call's data.
   */
  transfer(destination, fields = {}, options = {}) {
    if (destination === undefined) return this.#do(Action.TRANSFER, {}, options);
    return this.#do(Action.BLIND_TRANSFER, { destination, fields }, options);
  }

  /** Brings who is held, who was consulted and the agent together. */
  conference(options) {
    return this.#do(Action.CONFERENCE, {}, options);
  }

  /** Calls somebody into the call, which is a conference from then on. */
  add(destination, options) {
    return this.#do(Action.ADD_PARTY, { destination }, options);
  }

  /** Takes a party, or the one with this id, out of the conference. */
  drop(party, options) {
    return this.#do(Action.DROP_PARTY, { other: typeof party === 'string' ? party : party.id }, options);
  }

  /** Leaves the conference; the others go on. */
  leave(options) {
    return this.#do(Action.LEAVE, {}, options);
  }

  /** Ends the call for everybody in it. */
  clear(options) {
    return this.#do(Action.CLEAR, {}, options);
  }

  // ---------------------------------------------------------------- digits, recording, marks

  /** Has the other side hear these keys: 1 to 32 of `0-9 * # A-D`. */
  digits(digits, options) {
    return this.#do(Action.DIGITS, { value: digits }, options);
  }

  /** Begins to record. */
  record(options) {
    return this.#do(Action.RECORD_START, {}, options);
  }

  /** Records nothing for a while, as when a card number is said. */
  pause(options) {
    return this.#do(Action.RECORD_PAUSE, {}, options);
  }

  /** Goes on with the recording. */
  resume(options) {
    return this.#do(Action.RECORD_RESUME, {}, options);
  }

  /** Ends the recording. */
  stop(options) {
    return this.#do(Action.RECORD_STOP, {}, options);
  }

  /** Marks the call with a word of 1 to 64 bytes: it stands in the data as `mark`. */
  mark(word, options) {
    return this.#do(Action.MARK, { value: word }, options);
  }

  // ---------------------------------------------------------------- for supervisors: at the phone of a number of their own

  /** Hears both sides, and is heard by nobody. */
  listen(device, options) {
    return this.#do(Action.LISTEN, { value: device }, options);
  }

  /** Hears both sides, and is heard by the agent alone. */
  whisper(device, options) {
    return this.#do(Action.WHISPER, { value: device }, options);
  }

  /** Hears both sides, and is heard by everybody. */
  barge(device, options) {
    return this.#do(Action.BARGE, { value: device }, options);
  }

  /** Takes the customer over from the agent. */
  intercept(device, options) {
    return this.#do(Action.INTERCEPT, { value: device }, options);
  }

  /** Hears the call no longer; without a device the only supervisor doesn't. */
  stopSupervision(device = '', options = {}) {
    return this.#do(Action.STOP_SUPERVISION, { value: device }, options);
  }
}
