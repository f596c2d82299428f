/** Serials whose calls have finished a moment ago: a Connection that comes late is none of a new customer. */

const MOST = 10_000;

export class FinishedSerials {
  #clock;
  #keptFor;
  #since = new Map();

  constructor(clock, keptFor) {
    this.#clock = clock;
    this.#keptFor = keptFor;
  }

  add(serial) {
    this.#since.delete(serial); // so that the oldest ones stand first
    this.#since.set(serial, this.#clock.now());
    for (const [oldest, since] of this.#since) {
      if (this.#since.size <= MOST && this.#clock.now() - since < this.#keptFor) break;
      this.#since.delete(oldest);
    }
  }

  has(serial) {
    const since = this.#since.get(serial);
    return since !== undefined && this.#clock.now() - since < this.#keptFor;
  }
}
