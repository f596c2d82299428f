/** What the exchange tells of calls and of agents' states, as the application gets it. */

import { AgentStateCode, callChangeText, statusOf } from '../codes.js';

/** As the `event` of a change that comes of a snapshot: nothing is known to have happened, but the call stands like this. */
export const SHOWN = 0;

function dateOf(milliseconds) {
  return new Date(Number(milliseconds));
}

function partyOf({ id, party_role: role, number, agent, connection_state: state, actions }) {
  return Object.freeze({ id, role, number, agent, state, actions });
}

/** How a call stands, by a CallEvent or a Snapshot. */
function standing({ call, serial, related, queue, recording, parties, version, fields }) {
  return { call, serial, related, queue, recording, parties: parties.map(partyOf), version, data: fields };
}

/** What a CallEvent tells. */
export function changeOf(message) {
  const { agent, time, event, cause, status, by } = message;
  return Object.freeze({
    agent,
    time: dateOf(time),
    event,
    eventText: callChangeText(event),
    cause,
    status: statusOf(status),
    by,
    ...standing(message),
  });
}

/** What a page of a snapshot tells. */
export function pageOf(message) {
  return Object.freeze({ agent: message.agent, time: dateOf(message.time), ...standing(message) });
}

/** A change that the client makes of what a snapshot shows. */
export function madeChange(event, { agent, time, call, serial, related, queue, recording, parties, version, data }) {
  const stands = { call, serial, related, queue, recording, parties, version, data };
  return Object.freeze({ agent, time, event, eventText: callChangeText(event), cause: 0, status: 0, by: '', ...stands });
}

/** What an AgentStateEvent tells. */
export function stateOf(message) {
  const { agent, time, agent_state: state, reason, device, since, until, by, queues } = message;
  const { pending_state: pending, pending_reason: pendingReason } = message;
  return Object.freeze({
    agent,
    time: dateOf(time),
    state,
    reason,
    device,
    since: dateOf(since),
    until: Number(until) ? dateOf(until) : null,
    pendingState: pending === AgentStateCode.NONE ? null : pending,
    pendingReason,
    by,
    queues: Object.freeze(queues.split(' ').filter(Boolean)),
  });
}
