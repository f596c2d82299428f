/** Waits for something to be so, which is looked at whenever anything has come. */

import { RequestTimedOut } from '../errors.js';

export class Waits {
  #clock;
  #waiting = new Set();

  constructor(clock) {
    this.#clock = clock;
  }

  /**
   * Resolves with what `look` gives as soon as that is something; rejects with what it throws.
   *
   * @param {number} timeout in milliseconds; Infinity: as long as it takes
   * @param {() => Error} [late] what it rejects with behind that
   */
  until(look, timeout, late = () => new RequestTimedOut(`it was not so within ${timeout} ms`)) {
    return new Promise((resolve, reject) => {
      let timer = null;
      const settle = (how, value) => {
        this.#waiting.delete(wait);
        if (timer !== null) this.#clock.clearTimer(timer);
        how(value);
      };
      const wait = {
        fail: (error) => settle(reject, error),
        look() {
          try {
            const found = look();
            if (found !== undefined) settle(resolve, found);
          } catch (error) {
            wait.fail(error);
          }
        },
      };
      this.#waiting.add(wait);
      wait.look();
      if (timeout !== Infinity && this.#waiting.has(wait)) {
        timer = this.#clock.setTimer(timeout, () => wait.fail(late()));
      }
    });
  }

  /** Something has come. */
  look() {
    for (const wait of [...this.#waiting]) wait.look();
  }

  /** It can't come about any more, as far as these waits are concerned. */
  fail(error) {
    for (const wait of [...this.#waiting]) wait.fail(error);
  }
}
