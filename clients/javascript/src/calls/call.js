/** One call of an agent number as the application has it: how it stands now, and what can be done with it. */

import { sleep } from '../clock.js';
import { entriesOf } from '../codec/types.js';
import { Action, CallChange, PartyRole, Recording, Status, allows } from '../codes.js';
import { answered } from '../connection.js';
import { CallError, RequestTimedOut } from '../errors.js';
import { CallActions } from './call-actions.js';
import { isSame } from './same.js';
import { madeChange } from './told.js';

/** How long the exchange may take to answer that an action is begun, in milliseconds. */
export const ANSWER_WITHIN = 10_000;
const UNTIL_WITHIN = 30_000;
/** How long data waits that is being changed by somebody else. */
const SOON = 50;
/** What is told of the call that a consultation is for, and ends the consultation. */
const TOLD_OF_THE_OTHER = [CallChange.TRANSFERRED, CallChange.CONFERENCED];
const SHOWN_OF_A_CALL = ['serial', 'related', 'queue', 'recording', 'parties', 'version', 'data'];

export class Call extends CallActions {
  #number;
  #since;

  /** Made by its MonitoredNumber; the same object for as long as the call goes on. */
  constructor(number, id) {
    super();
    this.#number = number;
    this.#since = number.told;
    /** The same for the whole life of the call. */
    this.id = id;
    /** The call serial number that the next hand-off names; another one behind each. */
    this.serial = '';
    /** Of a consultation: the id of the call that it is for. */
    this.related = '';
    /** The queue that it came through. */
    this.queue = '';
    this.recording = Recording.OFF;
    /** Everybody in it, as far as the application may see them. */
    this.parties = [];
    /** What is attached to the call, and of which version that is. */
    this.data = new Map();
    this.version = 0;
    /** Whether the call has ended, or the agent has left it. */
    this.over = false;
  }

  // ---------------------------------------------------------------- how it stands

  /** The agent number whose call it is. */
  get agent() {
    return this.#number.number;
  }

  /** The agent's own party; null where it isn't known yet, or has left. */
  get party() {
    return this.parties.find(({ agent, role }) => agent === this.agent && role === PartyRole.AGENT) ?? null;
  }

  /** The party of the customer; null where there is none. */
  get customer() {
    return this.parties.find(({ role }) => role === PartyRole.CUSTOMER) ?? null;
  }

  /** As in `ConnectionState`: that of the agent's own party; null where there is none. */
  get state() {
    return this.party?.state ?? null;
  }

  /** What may be asked for now, as the exchange says. */
  get actions() {
    return Object.values(Action).filter((action) => this.allows(action));
  }

  /** Whether this may be asked for now, as the exchange says: a button for it is there to be pressed. */
  allows(action) {
    return !this.over && allows(this.party?.actions ?? 0, action);
  }

  // ---------------------------------------------------------------- what is asked for

  async control(action, words, { ring = 0, timeout = ANSWER_WITHIN } = {}) {
    for (const call of [this, ...this.#pair()]) call.#since = this.#number.told;
    const message = { kind: 'CallControl', action, agent: this.agent, call: this.id, seconds: ring, ...words };
    return answered(await this.#number.ask(message, timeout));
  }

  brought(reply) {
    return this.#number.begun(reply, this.related || this.id);
  }

  /** The call that this consultation is for, or the consultations for this call. */
  #pair() {
    return [...this.#number.calls.values()].filter((call) => this.#isRelated(call.id, call.related));
  }

  #isRelated(id, related) {
    return (this.related !== '' && id === this.related) || related === this.id;
  }

  /**
   * Hands the customer of this call over to a service, under the call's serial. When they are back the call goes on, with
   * another serial.
   *
   * @throws {CallError} the exchange refuses; 42: the agent number isn't logged in by this client
   */
  connect(service, options = {}) {
    const callingNumber = this.customer?.number ?? '';
    return this.#number.handOver({ callingNumber, ...options, agent: this.agent, service, serial: this.serial });
  }

  // ---------------------------------------------------------------- its data

  /**
   * Puts fields over the data, and takes some out by their names. Where somebody else was first (22) it is asked again
   * with the newest version, so that changes of others are kept, but for fields of the same names.
   *
   * @param {object} [options] `drop`: names of fields that are to go; `version`: the one that the application has shown,
   *   and then 22 is not asked again: `version` and `data` of the call are the new ones
   * @throws {CallError} 22, see there; 60, the call is over, or another's; 35 or 36, the data would be too large
   * @throws {LinkLost} as for every action
   */
  async update(fields, { drop = [], version, timeout = ANSWER_WITHIN } = {}) {
    const { clock } = this.#number;
    const deadline = clock.now() + timeout;
    const change = { fields: new Map(entriesOf(fields)), drop: [...drop].map((name) => ({ name })) };
    for (let known = version ?? this.version; ;) {
      const reply = await this.#change(known, change, Math.max(0, deadline - clock.now()));
      const again = [Status.CALL_BUSY, ...(version === undefined ? [Status.DUPLICATE_SERIAL] : [])];
      if (!again.includes(reply.status) || clock.now() + SOON >= deadline) {
        answered(reply);
        return;
      }
      if (reply.status === Status.CALL_BUSY) await sleep(clock, SOON);
      if (version === undefined) known = Math.max(reply.version, this.version);
    }
  }

  async #change(version, change, timeout) {
    const message = { kind: 'CallData', agent: this.agent, call: this.id, version, ...change };
    const reply = await this.#number.ask(message, timeout);
    const told = reply.status === Status.OK || reply.status === Status.DUPLICATE_SERIAL;
    if (told && reply.version > this.version) [this.version, this.data] = [reply.version, reply.fields];
    return reply;
  }

  // ---------------------------------------------------------------- what becomes of it

  /**
   * Waits for a change, or one of several, behind what this application asked for last: `await call.until(CallChange.HELD)`.
   * One that has come already counts too. A transfer and a conference are told of the call that a consultation is for; a
   * wait on either of the two hears it.
   *
   * @throws {CallError} what was asked for has failed, with the status of the failed event; 60: the call is over
   * @throws {LinkLost} the snapshot behind the next Bind shows how the call stands
   * @throws {RequestTimedOut} it hasn't come in time
   */
  until(change, { timeout = UNTIL_WITHIN } = {}) {
    const changes = [change].flat();
    const withPair = TOLD_OF_THE_OTHER.some((one) => changes.includes(one));
    let seen = this.#since;
    let failure = null;
    const look = () => {
      const come = this.#number.changesSince(seen);
      seen = this.#number.told;
      for (const one of come) {
        if (one.call !== this.id && !(withPair && this.#isRelated(one.call, one.related))) continue;
        if (changes.includes(one.event)) return one;
        if (one.event !== CallChange.FAILED || !one.status) continue;
        failure = new CallError(one.status, 'what was asked for has failed');
        if (!changes.includes(CallChange.CLEARED)) throw failure; // who gives up a call that rings hears of both
      }
      if (this.over && !(withPair && this.#pair().length)) throw new CallError(Status.NO_SUCH_CALL, 'the call is over');
      this.#number.checkTold();
      return undefined;
    };
    return this.#number.arrivals.until(
      look,
      timeout,
      () => failure ?? new RequestTimedOut(`it has not come within ${timeout} ms`),
    );
  }

  // ---------------------------------------------------------------- what its number tells it

  /** An action has brought it about. */
  begins(serial, related) {
    this.serial = serial;
    this.related = related;
  }

  /** It stands like this now; whether that is news. */
  takes(told) {
    const before = this.#stands();
    for (const name of SHOWN_OF_A_CALL) this[name] = told[name];
    return !isSame(before, this.#stands());
  }

  #stands() {
    return Object.fromEntries(SHOWN_OF_A_CALL.map((name) => [name, this[name]]));
  }

  /** A change that tells how it stands. */
  asChange(event, time) {
    return madeChange(event, { agent: this.agent, time, call: this.id, ...this.#stands() });
  }
}
