/** The calls of one agent number that go on, and what was told of them last. */

import { CallChange } from '../codes.js';
import { BrokenExchange } from '../errors.js';
import { SHOWN, madeChange } from './told.js';

/** How many changes are kept for those who wait for one that has come already, and how many calls that are over. */
const MOST_REMEMBERED = 1_000;

export class CallList {
  #make;
  #tell;
  #changes = [];
  #begun = new Set();
  #over = new Map();

  /**
   * @param {(id: string) => object} make a call of which nothing is known
   * @param {(call: object, change: object) => void} tell hears what has happened to a call that stands so already
   */
  constructor(make, tell) {
    this.#make = make;
    this.#tell = tell;
    /** By id, the oldest first. */
    this.calls = new Map();
    /** How many changes have come. */
    this.told = 0;
  }

  /** The changes behind so many, of those that are kept. */
  changesSince(count) {
    return this.#changes.slice(Math.max(0, this.#changes.length - (this.told - count)));
  }

  /** Nothing is known any more. */
  clear() {
    this.calls.clear();
    this.#begun.clear();
    this.#over.clear();
  }

  /** What was begun on the link before is in the next snapshot, or has come to nothing. */
  anotherLink() {
    this.#begun.clear();
  }

  // ---------------------------------------------------------------- what comes

  /** An action has brought a call about; its first event may have come before this, and even its last one. */
  begin({ call: id, serial }, related = '') {
    if (id === '') throw new BrokenExchange('it has begun a call, and does not say which');
    const known = this.#known(id);
    if (known) return known;
    const call = this.#make(id);
    call.begins(serial, related);
    this.#begun.add(id);
    this.#put(call, true);
    return call;
  }

  /** Something has happened to a call. It is over for an agent who isn't a party of it any more. */
  happened(change) {
    const call = this.#object(change.call);
    call.takes(change);
    // One that was to be made, and has failed, may have no party any more: that it is cleared is told next.
    const cameToNothing =
      change.event === CallChange.FAILED && !change.parties.length && this.calls.has(change.call);
    this.#begun.delete(change.call);
    this.#put(call, change.event !== CallChange.CLEARED && (call.party !== null || cameToNothing));
    this.#told(call, change);
  }

  /** What was known is replaced: calls that are gone are told as cleared, those that have changed as shown. */
  replace(pages, time) {
    const ids = new Set([...this.#begun, ...pages.map((page) => page.call)]);
    for (const call of [...this.calls.values()]) {
      if (ids.has(call.id)) continue;
      this.#put(call, false);
      this.#told(call, call.asChange(CallChange.CLEARED, time));
    }
    for (const page of pages) {
      const isNew = !this.calls.has(page.call);
      const call = this.#object(page.call);
      this.#begun.delete(page.call);
      const changed = call.takes(page);
      this.#put(call, true);
      if (changed || isNew) this.#told(call, madeChange(SHOWN, page));
    }
  }

  // ---------------------------------------------------------------- what it comes to

  #known(id) {
    return this.calls.get(id) ?? this.#over.get(id);
  }

  /** The same one for a call that comes back. */
  #object(id) {
    return this.#known(id) ?? this.#make(id);
  }

  #put(call, goesOn) {
    call.over = !goesOn;
    if (goesOn) {
      this.calls.set(call.id, call);
      this.#over.delete(call.id);
      return;
    }
    this.calls.delete(call.id);
    this.#over.set(call.id, call);
    if (this.#over.size > MOST_REMEMBERED) this.#over.delete(this.#over.keys().next().value);
  }

  #told(call, change) {
    this.#changes.push(change);
    if (this.#changes.length > MOST_REMEMBERED) this.#changes.shift();
    this.told += 1;
    this.#tell(call, change);
  }
}
