/**
 * Every message of version 2 of the wire, declared once. The codecs, the rules of the session and the tests derive all
 * that they know of messages from this table; the attributes stand in the order of the body.
 */

import {
  condition,
  fields,
  list,
  needed,
  openCallState,
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
];

export const MESSAGE_OF_CODE = new Map(MESSAGES.map((message) => [message.code, message]));
export const MESSAGE_OF_NAME = new Map(MESSAGES.map((message) => [message.name, message]));

/** Whether a kind is set aside for the feature `calls`: known, and not allowed where that isn't there. */
export function isOfCalls(code) {
  return code >= 0x30 && code <= 0x3f;
}

/** The name of the reply that answers a request. */
export function replyTo(request) {
  return MESSAGE_OF_CODE.get(MESSAGE_OF_NAME.get(request).code + 1).name;
}

/** Whether a message may come to a client in this role. */
export function mayCome(message, myRole) {
  const mine = myRole === 1 ? On.AGENT : On.SERVICE;
  return message.sender !== Sender.CLIENT && (message.on === On.BOTH || message.on === mine);
}
