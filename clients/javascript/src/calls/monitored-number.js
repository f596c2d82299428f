/** The calls and the state of one agent number, as the exchange tells them: a snapshot first, then every change. */

import { Action, MonitorSwitch, Page } from '../codes.js';
import { answered } from '../connection.js';
import { CallError, LinkLost } from '../errors.js';
import { ANSWER_WITHIN, Call } from './call.js';
import { CallList } from './call-list.js';
import { isSame } from './same.js';
import { SHOWN, changeOf, pageOf, stateOf } from './told.js';
import { Waits } from './waits.js';

const UNTIL_WITHIN = 30_000;

export class MonitoredNumber {
  #monitoring;
  #hears;
  #list;
  #states;
  #pages = [];
  #shown = false;
  #telling = false;

  /**
   * Made by `AgentClient.login` and `AgentClient.monitor`.
   *
   * @param {object} monitoring the CallMonitoring that it belongs to
   * @param {object} hears `onCall(call, change)`, `onState(state)`, `onError(error)`
   */
  constructor(monitoring, number, hears) {
    this.#monitoring = monitoring;
    this.#hears = hears;
    this.number = number;
    this.clock = monitoring.clock;
    /** The state as it was told last; null before that. */
    this.state = null;
    /** Why nothing is told any more; null while it is. */
    this.ended = null;
    /** The link on which it is followed; null without one. */
    this.link = null;
    /** Whoever waits for a change on this link. */
    this.arrivals = new Waits(this.clock);
    this.#states = new Waits(this.clock);
    this.#list = new CallList(
      (id) => new Call(this, id),
      (call, change) => this.#tell('onCall', call, change),
    );
  }

  /** The calls that go on, by id, the oldest first: always as they were told last. */
  get calls() {
    return this.#list.calls;
  }

  /** Whether calls and state are told now; else they are as they were when the link was lost. */
  get upToDate() {
    return this.link !== null && this.#shown;
  }

  // ---------------------------------------------------------------- what is asked for

  /**
   * Calls somebody: a number, an agent number or a queue. The agent's own phone rings first, unless it is off the hook.
   *
   * @throws {CallError} the exchange refuses: 65, there is no such destination, or the identity may not call it
   * @throws {LinkLost} as for every action; the snapshot shows whether there is a call
   */
  async makeCall(destination, fields = {}, { ring = 0, timeout = ANSWER_WITHIN } = {}) {
    const message = { kind: 'CallControl', action: Action.MAKE, agent: this.number, destination, fields, seconds: ring };
    return this.begun(answered(await this.ask(message, timeout)));
  }

  /**
   * Asks for a state; during a call it is remembered, and comes into force when the calls are over.
   *
   * @throws {CallError} 61, not from this state; 65, no such reason or queue; 66, the platform is away
   */
  async setState(state, { reason = '', device = '', queues = [], seconds = 0, timeout = ANSWER_WITHIN } = {}) {
    const words = { reason, device, queues: [...queues].join(' '), seconds };
    answered(await this.ask({ kind: 'AgentState', agent: this.number, agent_state: state, ...words }, timeout));
  }

  /**
   * Waits until the agent is in this state, or one of several; at once where that is so. Lost links are waited out.
   *
   * @throws {RequestTimedOut} it isn't so in time
   */
  untilState(state, { timeout = UNTIL_WITHIN } = {}) {
    const states = [state].flat();
    const look = () => {
      if (this.state && states.includes(this.state.state)) return this.state;
      if (this.ended) throw this.ended;
      return undefined;
    };
    return this.#states.until(look, timeout);
  }

  /** Is told no longer. */
  stop({ timeout = ANSWER_WITHIN } = {}) {
    return this.#monitoring.leave(this, timeout);
  }

  // ---------------------------------------------------------------- what its calls need

  /** Asks once: what was asked on a link that is lost may have been done. */
  async ask(message, timeout) {
    if (this.ended) throw this.ended;
    return this.#monitoring.ask(this, message, timeout);
  }

  /** The call that an action has brought about. */
  begun(reply, related) {
    return this.#list.begin(reply, related);
  }

  /** Hands a customer over. */
  handOver(call) {
    return this.#monitoring.handOver(call);
  }

  /** How many changes have come. */
  get told() {
    return this.#list.told;
  }

  changesSince(count) {
    return this.#list.changesSince(count);
  }

  /** @throws {LinkLost} nothing is told now */
  checkTold() {
    if (this.ended) throw this.ended;
    if (!this.link) throw new LinkLost('there is no link to the exchange now', false);
  }

  // ---------------------------------------------------------------- following, on one link after the other

  /**
   * Is told on this link; the snapshot comes behind the answer.
   *
   * @throws {CallError} the exchange refuses
   */
  async follow(link, timeout) {
    if (this.link === link || this.ended) return;
    this.link = link;
    this.#pages = [];
    this.#shown = false;
    this.#list.anotherLink();
    link.closed.then(() => this.#lost(link));
    try {
      answered(await link.ask({ kind: 'Monitor', agent: this.number, mode: MonitorSwitch.START }, timeout));
    } catch (error) {
      if (error instanceof CallError) this.#lost(link); // else the snapshot may still come
      throw error;
    }
  }

  /** Waits for the snapshot on this link. */
  shown(timeout) {
    const look = () => {
      if (this.#shown) return true;
      this.checkTold();
      return undefined;
    };
    return this.arrivals.until(look, timeout);
  }

  /** The application knows that it is followed: tells how everything stands, and from now on what changes. */
  beginTelling() {
    if (this.#telling || this.ended) return;
    this.#telling = true;
    if (this.state) this.#tell('onState', this.state);
    const time = this.state?.time ?? new Date(0);
    for (const call of [...this.calls.values()]) this.#tell('onCall', call, call.asChange(SHOWN, time));
  }

  #lost(link) {
    if (this.link !== link) return;
    this.link = null;
    this.arrivals.fail(new LinkLost('the link was lost'));
  }

  /** Nothing is told any more. */
  end(error) {
    if (this.ended) return;
    this.ended = error;
    this.link = null;
    this.#list.clear();
    this.arrivals.fail(error);
    this.#states.fail(error);
  }

  // ---------------------------------------------------------------- what is told

  /** Something is told of this agent number. */
  received(link, message) {
    if (link !== this.link) return;
    if (message.kind === 'AgentStateEvent') this.#stateTold(stateOf(message));
    else if (message.kind === 'CallEvent') this.#list.happened(changeOf(message));
    else this.#page(message);
    this.arrivals.look();
  }

  #stateTold(state) {
    const { time } = state;
    const isNews = !this.state || !isSame({ ...this.state, time }, state);
    this.state = state;
    if (isNews) this.#tell('onState', state);
    this.#states.look();
  }

  #page(message) {
    const page = pageOf(message);
    if (page.call !== '') this.#pages.push(page);
    if (message.page !== Page.LAST) return;
    const pages = this.#pages;
    this.#pages = [];
    this.#shown = true;
    this.#list.replace(pages, page.time);
  }

  /** The application's fault in a callback ends nothing here. */
  #tell(name, ...told) {
    if (!this.#telling || this.ended) return;
    try {
      Promise.resolve(this.#hears[name](...told)).catch(this.#hears.onError);
    } catch (error) {
      this.#hears.onError(error);
    }
  }
}
