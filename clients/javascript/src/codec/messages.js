/**
 * Every message of version 2 of the wire, declared once. The codecs, the rules of the session and the tests derive all
 * that they know of messages from this table; the attributes stand in the order of the body.
 */

import { AgentStateCode } from '../codes.js';
import {
  action,
  agentState,
  callChange,
  condition,
  connectionState,
  fieldName,
  fields,
  list,
  monitorSwitch,
  needed,
  openCallState,
  page,
  partyRole,
  recording,
  role,
  serial,
  serialOrEmpty,
  serviceCondition,
  status,
  text16,
  text8,
  u16,
  u32,
  u64,
  u8,
  withDefault,
} from './types.js';

export const VERSION = 2;
/** The limit on a frame's length until the BindReply says another one, in bytes. */
export const DEFAULT_MAX_FRAME = 65_536;

/** What a message is to who gets it. A reply's kind is its request's + 1; a notice is never answered. */
export const Form = Object.freeze({ REQUEST: 'request', REPLY: 'reply', NOTICE: 'notice', ERROR: 'error' });
/** Who sends it. */
export const Sender = Object.freeze({ CLIENT: 'client', EXCHANGE: 'exchange', BOTH: 'both' });
/** On whose link it travels. */
export const On = Object.freeze({ AGENT: 'agent', SERVICE: 'service', BOTH: 'both' });

const { REQUEST, REPLY, NOTICE, ERROR } = Form;
const { CLIENT, EXCHANGE, BOTH } = Sender;
const { AGENT, SERVICE } = On;
const number = needed(text8);
/** How a call stands, in an event and on a page of a snapshot. */
const callAsItStands = {
  call: text8,
  serial: serialOrEmpty,
  related: text8,
  queue: text8,
  recording,
  parties: list({
    id: text8,
    party_role: partyRole,
    number: text8,
    agent: text8,
    connection_state: connectionState,
    actions: u32,
  }),
  version: u32,
  fields,
};

function declared(code, name, form, sender, on, attributes) {
  return Object.freeze({ code, name, form, sender, on, attributes: Object.entries(attributes) });
}

/** The declaration of each message. */
export const MESSAGES = [
  declared(0x01, 'Bind', REQUEST, CLIENT, BOTH, {
    role,
    identity: text8,
    secret: text16,
    min_version: withDefault(u8, VERSION),
    max_version: withDefault(u8, VERSION),
    software: text8,
    features: text16,
  }),
  declared(0x02, 'BindReply', REPLY, EXCHANGE, BOTH, {
    status,
    version: withDefault(u8, VERSION),
    session: text8,
    heartbeat_s: u16,
    max_frame: withDefault(u32, DEFAULT_MAX_FRAME),
    max_in_flight: u16,
    exchange_address: text8,
    features: text16,
    detail: text16,
  }),
  declared(0x03, 'Unbind', REQUEST, BOTH, BOTH, { status, detail: text16 }),
  declared(0x04, 'UnbindReply', REPLY, BOTH, BOTH, {}),
  declared(0x05, 'Ping', REQUEST, BOTH, BOTH, {}),
  declared(0x06, 'Pong', REPLY, BOTH, BOTH, {}),
  declared(0x07, 'Error', ERROR, BOTH, BOTH, { status, about: u8, detail: text16 }),
  declared(0x10, 'AgentLogin', REQUEST, CLIENT, AGENT, { agent: number, epoch: u64, resume_after: u64 }),
  declared(0x11, 'AgentLoginReply', REPLY, EXCHANGE, AGENT, {
    status,
    epoch: u64,
    first_sequence: u64,
    last_sequence: u64,
    detail: text16,
  }),
  declared(0x12, 'AgentLogout', REQUEST, CLIENT, AGENT, { agent: number }),
  declared(0x13, 'AgentLogoutReply', REPLY, EXCHANGE, AGENT, { status }),
  declared(0x14, 'ConnectRequest', REQUEST, CLIENT, AGENT, {
    serial: serialOrEmpty,
    agent: text8,
    service: text8,
    calling_number: text8,
    reference: text8,
    fields,
  }),
  declared(0x15, 'ConnectReply', REPLY, EXCHANGE, AGENT, {
    status,
    serial: serialOrEmpty,
    retry_after: u16,
    detail: text16,
  }),
  declared(0x16, 'CancelRequest', REQUEST, CLIENT, AGENT, { serial }),
  declared(0x17, 'CancelReply', REPLY, EXCHANGE, AGENT, { status, serial: serialOrEmpty, detail: text16 }),
  declared(0x18, 'AgentEvent', NOTICE, EXCHANGE, AGENT, {
    sequence: u64,
    time: u64,
    agent: text8,
    serial,
    reference: text8,
    condition,
    status,
    fields,
  }),
  declared(0x19, 'AgentEventAck', NOTICE, CLIENT, AGENT, { agent: number, sequence: u64 }),
  declared(0x1a, 'CallQuery', REQUEST, CLIENT, AGENT, { agent: number }),
  declared(0x1b, 'CallQueryReply', REPLY, EXCHANGE, AGENT, {
    status,
    calls: list({ serial, service: text8, reference: text8, state: openCallState, since: u64 }),
  }),
  declared(0x1c, 'UpdateRequest', REQUEST, CLIENT, AGENT, { serial, fields }),
  declared(0x1d, 'UpdateReply', REPLY, EXCHANGE, AGENT, { status, serial: serialOrEmpty, detail: text16 }),
  declared(0x20, 'Connection', REQUEST, EXCHANGE, SERVICE, {
    access_code: text8,
    calling_number: text8,
    exchange_address: text8,
  }),
  declared(0x21, 'ConnectionReply', REPLY, CLIENT, SERVICE, { status, detail: text16 }),
  declared(0x22, 'DataRequest', REQUEST, CLIENT, SERVICE, { serial, exchange_address: text8 }),
  declared(0x23, 'DataResult', REPLY, EXCHANGE, SERVICE, {
    status,
    serial: serialOrEmpty,
    agent: text8,
    reference: text8,
    fields,
  }),
  declared(0x24, 'ServiceEvent', REQUEST, CLIENT, SERVICE, {
    event_id: u64,
    serial,
    agent: text8,
    condition: serviceCondition,
    fields,
  }),
  declared(0x25, 'ServiceEventReply', REPLY, EXCHANGE, SERVICE, { event_id: u64, status }),
  declared(0x26, 'CallEnded', REQUEST, EXCHANGE, SERVICE, { serial, condition }),
  declared(0x27, 'CallEndedReply', REPLY, CLIENT, SERVICE, {}),
  declared(0x28, 'DataChanged', REQUEST, EXCHANGE, SERVICE, { serial }),
  declared(0x29, 'DataChangedReply', REPLY, CLIENT, SERVICE, {}),
  declared(0x30, 'Monitor', REQUEST, CLIENT, AGENT, { agent: number, mode: monitorSwitch }),
  declared(0x31, 'MonitorReply', REPLY, EXCHANGE, AGENT, { status, detail: text16 }),
  declared(0x32, 'AgentState', REQUEST, CLIENT, AGENT, {
    agent: number,
    agent_state: agentState,
    reason: text8,
    device: text8,
    queues: text16,
    seconds: u16,
  }),
  declared(0x33, 'AgentStateReply', REPLY, EXCHANGE, AGENT, { status, detail: text16 }),
  declared(0x34, 'CallControl', REQUEST, CLIENT, AGENT, {
    action,
    agent: number,
    call: text8,
    other: text8,
    destination: text8,
    value: text8,
    seconds: u16,
    fields,
  }),
  declared(0x35, 'CallControlReply', REPLY, EXCHANGE, AGENT, {
    status,
    call: text8,
    serial: serialOrEmpty,
    detail: text16,
  }),
  declared(0x36, 'CallData', REQUEST, CLIENT, AGENT, {
    agent: number,
    call: number,
    version: u32,
    fields,
    drop: list({ name: fieldName }),
  }),
  declared(0x37, 'CallDataReply', REPLY, EXCHANGE, AGENT, { status, version: u32, fields, detail: text16 }),
  declared(0x38, 'AgentStateEvent', NOTICE, EXCHANGE, AGENT, {
    agent: text8,
    time: u64,
    agent_state: agentState,
    reason: text8,
    device: text8,
    since: u64,
    until: u64,
    pending_state: withDefault(agentState, AgentStateCode.NONE),
    pending_reason: text8,
    by: text8,
    queues: text16,
  }),
  declared(0x3a, 'CallEvent', NOTICE, EXCHANGE, AGENT, {
    agent: text8,
    time: u64,
    event: callChange,
    cause: u8,
    status,
    by: text8,
    ...callAsItStands,
  }),
  declared(0x3c, 'Snapshot', NOTICE, EXCHANGE, AGENT, { agent: text8, time: u64, page, ...callAsItStands }),
];

export const MESSAGE_OF_CODE = new Map(MESSAGES.map((message) => [message.code, message]));
export const MESSAGE_OF_NAME = new Map(MESSAGES.map((message) => [message.name, message]));

/** The name of the reply that answers a request. */
export function replyTo(request) {
  return MESSAGE_OF_CODE.get(MESSAGE_OF_NAME.get(request).code + 1).name;
}

/** Whether a kind is for call control: known, whether it is assigned or not, and allowed with the feature alone. */
export function isOfCalls(code) {
  return code >= 0x30 && code <= 0x3f;
}

/** Whether a message may come to a client in this role, on a link with these features. */
export function mayCome(message, myRole, features) {
  const mine = myRole === 1 ? On.AGENT : On.SERVICE;
  if (isOfCalls(message.code) && !features.has('calls')) return false;
  return message.sender !== Sender.CLIENT && (message.on === On.BOTH || message.on === mine);
}
