/** The exchange for tests, with agents' calls that a test plays: what they are is what it says, and no telephone is there. */

import { CallChange, Page } from '../src/codes.js';
import { entriesOf } from '../src/codec/types.js';
import { FakeExchange } from './fake-exchange.js';

const TIME = 1_764_000_000_000;

/** A party, as it travels. */
export function party(id, { role = 0, number = '', agent = '', state = 2, actions = [] } = {}) {
  const bits = actions.reduce((told, action) => told + 2 ** action, 0);
  return { id, party_role: role, number, agent, connection_state: state, actions: bits };
}

export class FakeCallExchange extends FakeExchange {
  grants = { 1: 'calls', 2: 'updates' };
  /** By agent number: its calls as they stand, by id. */
  callsOf = new Map();
  /** By agent number: its state as it stands. */
  stateOf = new Map();
  /** What a CallControl is answered with: one after the other, then 0. */
  replies = [];
  #monitored = new Map();

  closed(session) {
    super.closed(session);
    this.#monitored.delete(session);
  }

  #told(agent) {
    return this.sessions.filter((session) => this.#monitored.get(session)?.has(agent));
  }

  /** Who is told of an agent number. */
  follows(agent) {
    return this.#told(agent).length;
  }

  // ---------------------------------------------------------------- what a test plays

  /** Something happens to a call of an agent, which stands like this from now on; what isn't named stays as it was. */
  happens(agent, event, id, changed = {}, { status = 0, cause = 0 } = {}) {
    const calls = this.#calls(agent);
    const call = { call: id, serial: `9${id}`, ...calls.get(id), ...changed };
    if (event === CallChange.CLEARED) calls.delete(id);
    else calls.set(id, call);
    const told = { kind: 'CallEvent', agent, time: TIME, event, status, cause, by: agent, ...call };
    for (const session of this.#told(agent)) session.send(told, 0);
  }

  /** A call of an agent with a customer, as it rings or goes on. */
  rings(agent, id, { state = 1, actions = [2, 3, 4], event = CallChange.ALERTING, ...changed } = {}) {
    const parties = [
      party('customer', { number: '13800138000' }),
      party('desk', { role: 1, agent, state, actions }),
    ];
    this.happens(agent, event, id, { parties, ...changed });
  }

  /** An agent comes into a state. */
  becomes(agent, state, words = {}) {
    this.stateOf.set(agent, { agent_state: state, since: TIME, ...words });
    for (const session of this.#told(agent)) this.#tellState(session, agent);
  }

  #calls(agent) {
    if (!this.callsOf.has(agent)) this.callsOf.set(agent, new Map());
    return this.callsOf.get(agent);
  }

  #tellState(session, agent) {
    const state = this.stateOf.get(agent) ?? { agent_state: 2, since: TIME };
    session.send({ kind: 'AgentStateEvent', agent, time: TIME, ...state }, 0);
  }

  #snapshot(session, agent) {
    this.#tellState(session, agent);
    const calls = [...this.#calls(agent).values()];
    const pages = calls.length ? calls : [{}];
    pages.forEach((call, index) => {
      const page = index === pages.length - 1 ? Page.LAST : Page.MORE;
      session.send({ kind: 'Snapshot', agent, time: TIME, page, ...call }, 0);
    });
  }

  // ---------------------------------------------------------------- what is asked

  onMonitor(session, { agent, mode }, id) {
    if (!this.#monitored.has(session)) this.#monitored.set(session, new Set());
    if (mode) this.#monitored.get(session).add(agent);
    else this.#monitored.get(session).delete(agent);
    session.send({ kind: 'MonitorReply', status: 0 }, id);
    if (mode) this.#snapshot(session, agent);
  }

  onAgentLogin(session, message, id) {
    super.onAgentLogin(session, message, id);
    if (this.#monitored.get(session)?.has(message.agent)) this.#snapshot(session, message.agent);
  }

  onCallControl(session, { call, action }, id) {
    const begun = action === 1 || action === 7 ? `${call}8` : call;
    session.send({ kind: 'CallControlReply', status: 0, call: begun, serial: '77', ...this.replies.shift() }, id);
  }

  onAgentState(session, message, id) {
    session.send({ kind: 'AgentStateReply', status: 0, ...this.replies.shift() }, id);
  }

  onCallData(session, { agent, call: id, version, fields, drop }, invokeId) {
    const call = this.#calls(agent).get(id);
    const reply = (status) => {
      const { version: now = 0, fields: data = new Map() } = call ?? {};
      session.send({ kind: 'CallDataReply', status, version: now, fields: data }, invokeId);
    };
    const refused = this.replies.shift();
    if (refused) session.send({ kind: 'CallDataReply', ...refused }, invokeId);
    else if (!call) reply(60);
    else if (version !== (call.version ?? 0)) reply(22);
    else {
      const data = new Map([...(call.fields ?? []), ...fields]);
      for (const { name } of drop) data.delete(name);
      this.changesData(agent, id, data);
      reply(0);
    }
  }

  /** The data of a call is another one. */
  changesData(agent, id, fields) {
    const version = (this.#calls(agent).get(id).version ?? 0) + 1;
    this.happens(agent, CallChange.DATA_CHANGED, id, { version, fields: new Map(entriesOf(fields)) });
  }
}
