/** A clock that goes on only when nothing else does: tests with long pauses take no time, and are the same in each run. */

const MOST_WAIT = 86_400_000;

export class VirtualClock {
  #now = 0;
  #timers = new Map();
  #last = 0;

  now() {
    return this.#now;
  }

  setTimer(delay, call) {
    this.#last += 1;
    this.#timers.set(this.#last, { at: this.#now + Math.max(0, delay), call });
    return this.#last;
  }

  clearTimer(timer) {
    this.#timers.delete(timer);
  }

  /** What a promise gives; time goes on for as long as it takes. */
  async run(promise) {
    let settled = false;
    const end = () => {
      settled = true;
    };
    promise.then(end, end);
    const until = this.#now + MOST_WAIT;
    await turn();
    while (!settled) {
      if (!this.#timers.size || this.#now > until) throw new Error('nothing happens any more');
      this.#fireNext();
      await turn();
    }
    return promise;
  }

  /** Lets so much time go by, in milliseconds. */
  async pass(delay) {
    await this.run(new Promise((resolve) => this.setTimer(delay, resolve)));
  }

  #fireNext() {
    const [timer, { at, call }] = [...this.#timers].reduce((first, other) =>
      other[1].at < first[1].at ? other : first,
    );
    this.#timers.delete(timer);
    this.#now = Math.max(this.#now, at);
    call();
  }
}

/** Until all that can happen without time has happened. */
export function turn() {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
