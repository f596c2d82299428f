/** A customer who is being served. */

import { Condition, Status } from './codes.js';
import { entriesOf } from './codec/types.js';
import { CallError, CodecError } from './errors.js';

const KEPT = new Set([Status.OK, Status.QUEUED_AGENT_AWAY, Status.DUPLICATE_EVENT]);
const MOST_EVENT_IDS = 3;
const TOO_LARGE = new Set([Status.DATA_TOO_LARGE, Status.MORE_THAN_ALLOWED]);

/** An event id that no other report of this call has had, of this process, another one or an earlier run. */
export function newEventId() {
  return crypto.getRandomValues(new BigUint64Array(1))[0];
}

export class ServedCall {
  #needs;
  #connection;
  #abort = new AbortController();
  #reports = Promise.resolve();
  #hearsChange = () => {};

  /** Made by AutomaticService for each Connection that it accepts. */
  constructor(needs, connection, callingNumber, serial) {
    this.#needs = needs;
    this.#connection = connection;
    this.serial = serial;
    /** The customer's own number. */
    this.callingNumber = callingNumber;
    this.accessCode = connection.access_code;
    this.exchangeAddress = connection.exchange_address;
    /** Which agent handed the customer over, and the agent's own name for the call; known once the data was fetched. */
    this.agent = '';
    this.reference = '';
    /** The condition by which the exchange ended the call; null while it goes on. */
    this.ended = null;
    /** Whether a final report was begun here. */
    this.reported = false;
    /** Rejects when the call is over before its handler is: so a handler that waits for nothing of ours ends, too. */
    this.aborted = new Promise((resolve, reject) => {
      this.signal.addEventListener('abort', () => reject(this.signal.reason));
    });
    this.aborted.catch(() => {});
  }

  /** Aborted when the exchange ends the call, or the service stops. */
  get signal() {
    return this.#abort.signal;
  }

  /**
   * Asks for the call's data, organized for this service; as often as wanted.
   *
   * @returns {Promise<Map<string, unknown>>} the fields
   * @throws {CallError} 20 it isn't, or is no longer, a call of this service
   */
  async fetch({ timeout } = {}) {
    const asked = { kind: 'DataRequest', serial: this.serial, exchange_address: this.exchangeAddress };
    const { status, agent, reference, fields } = await this.#needs.fetch(asked, timeout);
    if (status !== Status.OK) throw new CallError(status);
    this.agent = agent;
    this.reference = reference;
    return fields;
  }

  /** Calls this when the agent's side has corrected the data since they were fetched. */
  onDataChanged(hears) {
    this.#hearsChange = hears;
  }

  /**
   * Tells the agent how it goes, any number of times. All reports of a call go out in order, each said again under the
   * same event id until the exchange has answered; under a new one only where this one is another report's (25).
   *
   * @returns {Promise<number>} 0 kept, 40 kept while no agent is there, 43 it was kept at an earlier try
   * @throws {CallError} the exchange refuses: 41 the agent's mailbox is full, 24 or 20 the call is over
   */
  progress(fields, options) {
    return this.#report(Condition.PROGRESS, fields, options);
  }

  /** Ends the call: the customer was served. See `progress`. */
  complete(fields, options) {
    return this.#final(Condition.COMPLETED, fields, options);
  }

  /** Ends the call: the customer could not be served. See `progress`. */
  fail(fields, options) {
    return this.#final(Condition.FAILED, fields, options);
  }

  /** Ends the call: the customer hung up. See `progress`. */
  abandoned(fields, options) {
    return this.#final(Condition.ABANDONED, fields, options);
  }

  async #final(condition, fields, options) {
    if (this.reported) throw new CallError(Status.ALREADY_FINISHED, 'a final report was made already');
    this.reported = true;
    try {
      return await this.#report(condition, fields, options);
    } catch (error) {
      // Too large, or no message at all: something smaller may be reported in its place.
      this.reported = !(error instanceof CodecError || TOO_LARGE.has(error.status));
      throw error;
    }
  }

  #report(condition, fields = {}, { timeout } = {}) {
    const made = this.#reports.then(() => this.#keptReport(condition, fields, timeout));
    this.#reports = made.catch(() => {});
    return made;
  }

  /** 25 says that another report has had this event id: this one wasn't taken, and goes out under a new one. */
  async #keptReport(condition, given, timeout) {
    const fields = new Map(entriesOf(given)); // a copy: each try says the same
    for (let ids = 1; ; ids += 1) {
      const report = { kind: 'ServiceEvent', event_id: newEventId(), serial: this.serial, agent: this.agent, condition, fields };
      const { status } = await this.#needs.report(report, timeout);
      if (KEPT.has(status)) return status;
      if (status !== Status.EVENT_ID_USED || ids === MOST_EVENT_IDS) throw new CallError(status);
    }
  }

  // ---------------------------------------------------------------- what the service tells

  /** Resolves once every report that was begun has its answer. */
  get reportsAnswered() {
    return this.#reports;
  }

  /** Whether a Connection is the one that this call came with. */
  isSameAs({ access_code: accessCode, calling_number: callingNumber }) {
    return accessCode === this.accessCode && callingNumber === this.#connection.calling_number;
  }

  exchangeEnded(condition) {
    this.ended ??= condition;
    this.abort(new CallError(Status.ALREADY_FINISHED, `the exchange ended the call (condition ${condition})`));
  }

  abort(reason) {
    this.#abort.abort(reason);
  }

  dataChanged() {
    this.#tell(this.#hearsChange);
  }

  /** The application's fault ends nothing here. */
  async #tell(hears) {
    try {
      await hears(this);
    } catch (error) {
      this.#needs.onError(error);
    }
  }
}
