/** Time comes in as a clock, so that tests can have their own. All of it in milliseconds. */

import { RequestTimedOut } from './errors.js';

const LONGEST_TIMER = 2 ** 31 - 1; // setTimeout takes anything longer for 1 ms

/** A clock that never steps, and its timers. */
export const systemClock = Object.freeze({
  now: () => performance.now(),
  setTimer: (delay, call) => setTimeout(call, Math.min(delay, LONGEST_TIMER)),
  clearTimer: (timer) => clearTimeout(timer),
});

/** Resolves after so many milliseconds, or at once when the signal is aborted. */
export function sleep(clock, delay, signal) {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const wake = () => {
      clock.clearTimer(timer);
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    const timer = clock.setTimer(delay, wake);
    signal?.addEventListener('abort', wake);
  });
}

/**
 * What a promise gives, if it gives it in time.
 *
 * @throws {RequestTimedOut} it takes longer than so many milliseconds
 */
export function within(clock, delay, promise, what = 'the answer') {
  return new Promise((resolve, reject) => {
    const late = () => reject(new RequestTimedOut(`${what} took longer than ${delay} ms`));
    const timer = clock.setTimer(Math.max(0, delay), late);
    promise.then(resolve, reject).finally(() => clock.clearTimer(timer));
  });
}

/**
 * How long to wait after so many attempts in a row that came to nothing: twice as long each time, up to the longest.
 * Half of it is by chance, so that clients that lost the same exchange don't all come back at once.
 */
export function pauseAfter(failures, { shortest, longest, random }) {
  const whole = Math.min(longest, shortest * 2 ** Math.min(failures, 30));
  return whole * (0.5 + random() / 2);
}
