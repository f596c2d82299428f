/**
 * An exchange for tests: it keeps calls and mailboxes as the rules of the wire say, in memory, and does on request what
 * goes wrong in the world. It is no model of an exchange that somebody should run.
 */

import { codecOf } from '../src/codec.js';
import { replyTo } from '../src/codec/messages.js';
import { entriesOf } from '../src/codec/types.js';
import { pipe } from './pipe.js';

const FINAL = [1, 2, 3, 14, 15, 16];

export class FakeExchange {
  /** The service that each name leads to; any bound session of role 2 takes them. */
  accessCode = '7000';
  epoch = 0xfedc_ba98_7654_3210n;
  heartbeat = 30;
  maxInFlight = 0;
  sessions = [];
  agents = new Map();
  calls = new Map();
  /** The feature that is granted in each role to who asks for it. */
  grants = { 1: '', 2: 'updates' };
  /** Every message that came, with the number of its session. */
  heard = [];
  /** Called before anything is done with a message; true: nothing else is done with it. */
  intercept = () => false;
  /** How many bytes each end of the next links may write: [client's, exchange's], one pair a link. */
  cuts = [];
  /** Both ends of every link that was opened: [client's, exchange's]. */
  links = [];
  #lastAllocated = 0;
  #lastSession = 0;

  constructor(codec = 'binary') {
    this.codec = codecOf(codec);
  }

  /** For a client's `open`: a link within this program. */
  open = async () => {
    const [client, server] = pipe();
    const [clientLeft = Infinity, serverLeft = Infinity] = this.cuts.shift() ?? [];
    client.left = clientLeft;
    server.left = serverLeft;
    this.links.push([client, server]);
    this.accept(server);
    return client;
  };

  /** Takes the other end of a link. */
  accept(transport) {
    this.#lastSession += 1;
    const session = new FakeSession(this, transport, this.#lastSession);
    this.sessions.push(session);
    return session;
  }

  closed(session) {
    this.sessions = this.sessions.filter((other) => other !== session);
    for (const mailbox of this.agents.values()) {
      if (mailbox.session === session) mailbox.session = null;
    }
    for (const call of this.calls.values()) {
      if (call.offered === session && call.state === 'connecting') this.#offer(call);
    }
  }

  /** Messages of this kind that came. */
  of(kind) {
    return this.heard.filter((message) => message.kind === kind);
  }

  cutAll() {
    for (const session of [...this.sessions]) session.transport.cut();
  }

  services() {
    return this.sessions.filter(({ role, transport }) => role === 2 && transport.open !== false);
  }

  /** A new numbering, as of a store that has forgotten. */
  beginEpoch(epoch) {
    this.epoch = epoch;
    this.agents.clear();
    this.cutAll();
  }

  received(session, message, invokeId) {
    this.heard.push({ ...message, session: session.number });
    if (this.intercept(session, message, invokeId)) return;
    this[`on${message.kind}`]?.(session, message, invokeId);
  }

  // ---------------------------------------------------------------- the session

  onBind(session, { role, features }, id) {
    session.role = role;
    session.send(
      {
        kind: 'BindReply',
        status: 0,
        session: `s-${session.number}`,
        heartbeat_s: this.heartbeat,
        max_in_flight: this.maxInFlight,
        exchange_address: 'exchange.example:7301',
        features: features.split(' ').filter((wanted) => wanted === this.grants[role]).join(' '),
      },
      id,
    );
    if (role === 2) for (const call of this.calls.values()) if (call.state === 'requested') this.#offer(call);
  }

  onPing(session, message, id) {
    session.send({ kind: 'Pong' }, id);
  }

  onUnbind(session, message, id) {
    session.send({ kind: 'UnbindReply' }, id);
  }

  // ---------------------------------------------------------------- agents

  #mailbox(agent) {
    if (!this.agents.has(agent)) this.agents.set(agent, { last: 0n, events: [], session: null });
    return this.agents.get(agent);
  }

  onAgentLogin(session, { agent, epoch, resume_after: resumeAfter }, id) {
    const mailbox = this.#mailbox(agent);
    if (mailbox.session && mailbox.session !== session) {
      mailbox.session.send({ kind: 'Error', status: 13, about: 0x10, detail: agent }, 0);
    }
    mailbox.session = session;
    const known = BigInt(epoch) === this.epoch && BigInt(resumeAfter) <= mailbox.last;
    const after = known ? BigInt(resumeAfter) : 0n;
    const first = mailbox.events[0]?.sequence ?? mailbox.last + 1n;
    const status = known || BigInt(epoch) === 0n ? 0 : 21;
    session.send(
      { kind: 'AgentLoginReply', status, epoch: this.epoch, first_sequence: first, last_sequence: mailbox.last },
      id,
    );
    for (const event of mailbox.events) if (event.sequence > after) session.send(event, 0);
  }

  onAgentLogout(session, { agent }, id) {
    this.#mailbox(agent).session = null;
    session.send({ kind: 'AgentLogoutReply', status: 0 }, id);
  }

  onAgentEventAck(session, { agent, sequence }) {
    const mailbox = this.#mailbox(agent);
    while (mailbox.events[0]?.sequence <= BigInt(sequence)) mailbox.events.shift();
  }

  /** Tells an agent; `tell` and not `event`, so that tests can number as they like. */
  tell(agent, { serial, condition = 0, status = 0, fields = {}, reference = '' }) {
    const mailbox = this.#mailbox(agent);
    mailbox.last += 1n;
    const event = {
      kind: 'AgentEvent',
      sequence: mailbox.last,
      time: 1_764_000_000_000 + Number(mailbox.last),
      agent,
      serial,
      reference,
      condition,
      status,
      fields,
    };
    mailbox.events.push(event);
    mailbox.session?.send(event, 0);
  }

  #tellOf(call, condition, status = 0, fields = {}) {
    const { agent, serial, reference } = call.request;
    this.tell(agent, { serial, reference, condition, status, fields });
  }

  onConnectRequest(session, request, id) {
    const serial = request.serial || this.#allocated();
    const reply = (status) => session.send({ kind: 'ConnectReply', status, serial }, id);
    const before = this.calls.get(serial);
    if (this.#mailbox(request.agent).session !== session) reply(42);
    else if (before) reply(!same(before.request, request) ? 22 : before.state === 'closed' ? 24 : 0);
    else if (request.service === 'no-service') reply(30);
    else {
      const call = {
        request: { ...request, serial },
        fields: new Map(entriesOf(request.fields)),
        state: 'requested',
        reports: new Map(),
      };
      this.calls.set(serial, call);
      reply(0);
      this.#tellOf(call, 10);
      this.#offer(call);
    }
  }

  #allocated() {
    this.#lastAllocated += 1;
    return String(this.#lastAllocated).padStart(20, '0');
  }

  onCancelRequest(session, { serial }, id) {
    const call = this.calls.get(serial);
    const open = call && call.state !== 'closed' && call.state !== 'reported';
    session.send({ kind: 'CancelReply', status: open ? 0 : call ? 24 : 20, serial }, id);
    if (open) this.end(call, 16);
  }

  /** The exchange ends a call. */
  end(call, condition, status = 0) {
    call.state = 'closed';
    this.#tellOf(call, condition, status);
    call.offered?.ask({ kind: 'CallEnded', serial: call.request.serial, condition });
  }

  onUpdateRequest(session, { serial, fields }, id) {
    const call = this.calls.get(serial);
    const status = !call ? 20 : call.state === 'closed' ? 24 : 0;
    session.send({ kind: 'UpdateReply', status, serial }, id);
    if (status) return;
    for (const [name, value] of fields) call.fields.set(name, value);
    if (call.fetched) call.offered?.ask({ kind: 'DataChanged', serial });
  }

  onCallQuery(session, { agent }, id) {
    const open = [...this.calls.values()].filter((call) => call.request.agent === agent && call.state !== 'closed');
    const calls = open.map(({ request }) => ({
      serial: request.serial,
      service: request.service,
      reference: request.reference,
      state: 2,
      since: 1_764_000_000_000,
    }));
    session.send({ kind: 'CallQueryReply', status: 0, calls }, id);
  }

  // ---------------------------------------------------------------- services

  #offer(call) {
    const [service] = this.services();
    call.state = service ? 'connecting' : 'requested';
    if (service) this.connect(call, service);
  }

  connect(call, service) {
    call.offered = service;
    const connection = {
      kind: 'Connection',
      access_code: this.accessCode,
      calling_number: `${call.request.calling_number}**${call.request.serial}`,
      exchange_address: 'exchange.example:7301',
    };
    service.ask(connection, (reply) => {
      if (call.state !== 'connecting') return;
      if (reply.status === 0) {
        call.state = 'connected';
        this.#tellOf(call, 11);
      } else {
        call.state = 'closed';
        this.#tellOf(call, 14, 32);
      }
    });
  }

  onDataRequest(session, { serial }, id) {
    const call = this.calls.get(serial);
    const mine = call?.offered?.role === session.role && call.state !== 'closed';
    if (!mine) {
      session.send({ kind: 'DataResult', status: 20, serial }, id);
      return;
    }
    const { agent, reference } = call.request;
    session.send({ kind: 'DataResult', status: 0, serial, agent, reference, fields: call.fields }, id);
    if (!call.fetched) this.#tellOf(call, 12);
    call.fetched = true;
  }

  onServiceEvent(session, { event_id: eventId, serial, condition, fields }, id) {
    const call = this.calls.get(serial);
    const reply = (status) => session.send({ kind: 'ServiceEventReply', event_id: eventId, status }, id);
    const before = call?.reports.get(String(eventId));
    if (!call) reply(20);
    else if (before) reply(before.condition === condition && same(before.fields, fields) ? 43 : 25);
    else if (call.state === 'closed') reply(24);
    else {
      call.reports.set(String(eventId), { condition, fields });
      if (FINAL.includes(condition)) call.state = 'closed';
      reply(this.#mailbox(call.request.agent).session ? 0 : 40);
      this.#tellOf(call, condition, 0, fields);
    }
  }
}

function same(one, other) {
  const plain = (value) =>
    JSON.stringify(value, (name, held) => {
      if (typeof held === 'bigint') return String(held);
      return held instanceof Map ? [...held].sort() : name === 'session' ? undefined : held;
    });
  return plain(one) === plain(other);
}

class FakeSession {
  role = 0;
  #exchange;
  #decoder;
  #asked = new Map();
  #lastInvokeId = 0;

  constructor(exchange, transport, number) {
    this.#exchange = exchange;
    this.#decoder = exchange.codec.decoder();
    this.transport = transport;
    this.number = number;
    transport.ondata = (bytes) => this.#received(bytes);
    transport.onclose = () => exchange.closed(this);
  }

  #received(bytes) {
    this.#decoder.receive(bytes);
    for (let frame = this.#decoder.next(); frame; frame = this.#decoder.next()) {
      const { message } = this.#exchange.codec.decode(frame);
      const asked = this.#asked.get(frame.invokeId);
      if (asked?.reply === message.kind) {
        this.#asked.delete(frame.invokeId);
        this.#exchange.heard.push({ ...message, session: this.number });
        asked.answered(message);
      } else {
        this.#exchange.received(this, message, frame.invokeId);
      }
    }
  }

  send(message, invokeId) {
    this.transport.write(this.#exchange.codec.encode(message, invokeId));
  }

  ask(message, answered = () => {}) {
    this.#lastInvokeId += 1;
    this.#asked.set(this.#lastInvokeId, { reply: replyTo(message.kind), answered });
    this.send(message, this.#lastInvokeId);
  }
}
