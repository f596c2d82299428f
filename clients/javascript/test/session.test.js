/** The rules of the wire, one by one, on a session alone. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BinaryCodec, JsonCodec } from '../src/codec.js';
import { Session } from '../src/session.js';
import { fromHex } from '../test-support/values.js';

const AGENT = 1;
const SERVICE = 2;

/** A session, bound unless `agreed` is null, and what it tells. */
function opened({ codec = new BinaryCodec(), role = AGENT, agreed = {} } = {}) {
  const told = { requests: [], notices: [], errors: [], answers: [] };
  const handler = {
    request: (message, id) => told.requests.push([message.kind, id]),
    notice: (message) => told.notices.push(message.kind),
    error: (message) => told.errors.push([message.status, message.about, message.detail]),
  };
  const session = new Session({ codec, role, handler, now: 0 });
  const decoder = codec.decoder(2 ** 24);
  const made = {
    session,
    told,
    answered: (error, reply) => told.answers.push(error ? [error.name, error.status] : reply.kind),
    ask: (message, deadline) => session.request(message, made.answered, deadline),
    come: (message, id = 0, now = 0) => session.receive(codec.encode(message, id), now),
    bytes: (hex, now = 0) => session.receive(fromHex(hex.replaceAll(' ', '')), now),
    /** What goes out: kind, invoke id, and of an Error its status and what it is about. */
    out() {
      for (const frame of session.takeOutput()) decoder.receive(frame);
      const frames = [];
      for (let frame = decoder.next(); frame; frame = decoder.next()) {
        const { message } = codec.decode(frame);
        frames.push(
          message.kind === 'Error'
            ? ['Error', frame.invokeId, message.status, message.about]
            : [message.kind, frame.invokeId],
        );
      }
      return frames;
    },
  };
  if (agreed) {
    session.bind({ role, identity: 'x', secret: 'y' }, made.answered);
    assert.deepEqual(made.out(), [['Bind', 1]]);
    made.come({ kind: 'BindReply', heartbeat_s: 30, ...agreed }, 1);
    assert.deepEqual(told.answers.splice(0), ['BindReply']);
  }
  return made;
}

const QUERY = { kind: 'CallQuery', agent: '1001' };

test('replies are matched by invoke id, in any order', () => {
  const { ask, come, out, told } = opened();
  ask(QUERY);
  ask({ kind: 'CancelRequest', serial: '7' });
  assert.deepEqual(out(), [
    ['CallQuery', 2],
    ['CancelRequest', 3],
  ]);
  come({ kind: 'CancelReply', serial: '7' }, 3);
  come({ kind: 'CallQueryReply' }, 2);
  come({ kind: 'CallQueryReply' }, 2);
  assert.deepEqual(told.answers, ['CancelReply', 'CallQueryReply']);
  assert.deepEqual(out(), []);
});

test('a reply that nobody asked for, or of another kind than is awaited, is ignored', () => {
  const { ask, come, out, told } = opened();
  ask(QUERY);
  out();
  for (const [reply, id] of [
    ['CancelReply', 2],
    ['CallQueryReply', 9],
    ['CallQueryReply', 0],
    ['Pong', 2],
    ['UnbindReply', 5],
    ['BindReply', 1],
  ]) {
    come({ kind: reply }, id);
  }
  assert.deepEqual([told.answers, out()], [[], []]);
  come({ kind: 'CallQueryReply' }, 2);
  assert.deepEqual(told.answers, ['CallQueryReply']);
});

test('a malformed reply is answered, and refuses its request if it is of the awaited kind', () => {
  const { ask, bytes, out, told } = opened();
  ask(QUERY);
  out();
  bytes('0000000a 02 17 0000 00000002 0000'); // a CancelReply that ends too early
  assert.deepEqual([told.answers, out()], [[], [['Error', 2, 1, 0x17]]]);
  bytes('00000009 02 1b 0000 00000002 00');
  assert.deepEqual([told.answers, out()], [[['CallError', 1]], [['Error', 2, 1, 0x1b]]]);
});

test('a reply with a bad flag is malformed as well', () => {
  const { ask, bytes, out, told } = opened();
  ask(QUERY);
  out();
  bytes('0000000c 02 1b 0004 00000002 0000 0000');
  assert.deepEqual([told.answers, out()], [[['CallError', 1]], [['Error', 2, 1, 0x1b]]]);
});

test('an Error ends a request only if it is about its kind, and is never answered', () => {
  const { ask, come, bytes, out, told } = opened();
  ask(QUERY);
  out();
  come({ kind: 'Error', status: 1, about: 0x21, detail: 'your reply' }, 2);
  come({ kind: 'Error', status: 1, about: 0 }, 2);
  come({ kind: 'Error', status: 13, about: 0x10, detail: '1001' }, 0);
  come({ kind: 'Error', status: 777, about: 0x1a }, 3);
  bytes('00000009 02 07 0000 00000002 00'); // malformed
  bytes('00000008 02 07 0008 00000002'); // a bad flag
  assert.deepEqual(told.answers, []);
  assert.deepEqual(told.errors, [
    [1, 0x21, 'your reply'],
    [1, 0, ''],
    [13, 0x10, '1001'],
    [51, 0x1a, ''],
  ]);
  come({ kind: 'Error', status: 777, about: 0x1a }, 2);
  assert.deepEqual([told.answers, out()], [[['CallError', 51]], []]);
});

test('Ping is answered, and so is Unbind, under 0 as well', () => {
  const { come, out, session } = opened();
  come({ kind: 'Ping' }, 8);
  come({ kind: 'Unbind' }, 0);
  assert.deepEqual(out(), [
    ['Pong', 8],
    ['UnbindReply', 0],
  ]);
  assert.equal(session.ended, null, 'whoever sent it closes');
  session.tick(5_000);
  assert.notEqual(session.ended, null, 'or after five seconds');
});

test('an Unbind is answered once the answers are out, and nothing new is asked', () => {
  const { come, out, session, ask, told } = opened({ role: SERVICE });
  come({ kind: 'Connection', calling_number: '1**2' }, 4);
  come({ kind: 'Unbind', status: 15 }, 5);
  ask({ kind: 'DataRequest', serial: '2' });
  assert.deepEqual([told.answers, out()], [[['LinkLost', undefined]], []]);
  session.reply({ kind: 'ConnectionReply' }, 4);
  assert.deepEqual(out(), [
    ['ConnectionReply', 4],
    ['UnbindReply', 5],
  ]);
});

test('replies still come when the exchange has said goodbye', () => {
  const { come, out, ask, told } = opened();
  ask(QUERY);
  come({ kind: 'Unbind', status: 15 }, 5);
  come({ kind: 'CallQueryReply' }, 2);
  assert.deepEqual(told.answers, ['CallQueryReply']);
  assert.deepEqual(out(), [
    ['CallQuery', 2],
    ['UnbindReply', 5],
  ]);
});

test('this side says goodbye, and closes with the answer, or after five seconds', () => {
  const one = opened();
  one.session.unbind();
  assert.deepEqual(one.out(), [['Unbind', 2]]);
  assert.equal(one.session.ended, null);
  one.come({ kind: 'UnbindReply' }, 2);
  assert.notEqual(one.session.ended, null);
  const other = opened();
  other.session.unbind();
  other.session.tick(4_999);
  assert.equal(other.session.ended, null);
  other.session.tick(other.session.nextTick);
  assert.notEqual(other.session.ended, null);
});

test('unknown kinds are answered 2, messages of the other role and of the feature calls 5', () => {
  const agent = opened();
  for (const kind of ['2f', '30', '3f', '40']) agent.bytes(`00000008 02 ${kind} 0000 00000009`);
  agent.bytes('00000008 02 08 0000 00000000');
  assert.deepEqual(agent.out(), [
    ['Error', 9, 2, 0x2f],
    ['Error', 9, 5, 0x30],
    ['Error', 9, 5, 0x3f],
    ['Error', 9, 2, 0x40],
    ['Error', 0, 2, 0x08],
  ]);
  agent.come({ kind: 'Connection' }, 4);
  agent.come({ kind: 'DataResult' }, 2);
  agent.come({ kind: 'CallQuery', agent: '1' }, 6);
  agent.come({ kind: 'ConnectionReply' }, 6);
  agent.come({ kind: 'Bind', role: 1 }, 7);
  assert.deepEqual(
    agent.out().map(([, id, status, about]) => [id, status, about]),
    [
      [4, 5, 0x20],
      [2, 5, 0x23],
      [6, 5, 0x1a],
      [6, 5, 0x21],
      [7, 5, 0x01],
    ],
  );
  const service = opened({ role: SERVICE });
  service.come({ kind: 'AgentEvent', serial: '1' }, 0);
  service.come({ kind: 'CancelReply' }, 3);
  assert.deepEqual(service.out(), [
    ['Error', 0, 5, 0x18],
    ['Error', 3, 5, 0x17],
  ]);
  assert.deepEqual([agent.told.requests, service.told.notices], [[], []]);
});

test('kinds of call control are 5 without the feature, those too that are not assigned', () => {
  for (const [role, features] of [
    [AGENT, ''],
    [AGENT, 'updates call'],
    [SERVICE, ''],
    [SERVICE, 'calls'],
  ]) {
    const { bytes, come, out, told } = opened({ role, agreed: { features } });
    for (let code = 0x30; code <= 0x3f; code += 1) {
      bytes(`00000008 02 ${code.toString(16)} 0000 00000009`);
      assert.deepEqual(out(), [['Error', 9, 5, code]]);
    }
    come({ kind: 'CallEvent', agent: '1001' });
    assert.deepEqual(out(), [['Error', 0, 5, 0x3a]]);
    assert.deepEqual(told.notices, []);
  }
});

test('with the feature an agent hears of calls and states, and its orders are answered', () => {
  const { ask, bytes, come, out, told } = opened({ agreed: { features: 'other calls' } });
  ask({ kind: 'Monitor', agent: '1001' });
  ask({ kind: 'CallControl', action: 2, agent: '1001', call: 'c-17' });
  assert.deepEqual(out(), [
    ['Monitor', 2],
    ['CallControl', 3],
  ]);
  come({ kind: 'MonitorReply' }, 2);
  for (const kind of ['AgentStateEvent', 'Snapshot', 'CallEvent']) come({ kind, agent: '1001' });
  come({ kind: 'CallControlReply', call: 'c-17' }, 3);
  assert.deepEqual(out(), []);
  assert.deepEqual(told.notices, ['AgentStateEvent', 'Snapshot', 'CallEvent']);
  assert.deepEqual(told.answers, ['MonitorReply', 'CallControlReply']);
  come({ kind: 'CallEvent', agent: '1001' }, 4);
  come({ kind: 'Monitor', agent: '1001' }, 5);
  bytes('00000008 02 39 0000 00000006');
  bytes('00000008 02 3a 0000 00000000');
  assert.deepEqual(out(), [
    ['Error', 4, 1, 0x3a],
    ['Error', 5, 5, 0x30],
    ['Error', 6, 5, 0x39],
    ['Error', 0, 1, 0x3a],
  ]);
});

test('requests come under an invoke id, events under 0', () => {
  const agent = opened();
  agent.come({ kind: 'AgentEvent', serial: '1' }, 7);
  agent.come({ kind: 'AgentEvent', serial: '1' }, 0);
  agent.come({ kind: 'Ping' }, 0);
  assert.deepEqual(agent.told.notices, ['AgentEvent']);
  assert.deepEqual(agent.out(), [
    ['Error', 7, 1, 0x18],
    ['Error', 0, 1, 0x05],
  ]);
  const service = opened({ role: SERVICE });
  for (const kind of ['CallEnded', 'DataChanged']) service.come({ kind, serial: '1' }, 0);
  service.come({ kind: 'Connection' }, 0);
  assert.deepEqual(service.out(), [
    ['Error', 0, 1, 0x26],
    ['Error', 0, 1, 0x28],
    ['Error', 0, 1, 0x20],
  ]);
  assert.deepEqual(service.told.requests, []);
});

test('a body that breaks the format leaves the link open', () => {
  const { bytes, come, out, session } = opened({ role: SERVICE });
  bytes('00000009 02 26 0000 00000003 00');
  bytes('0000000a 02 05 0000 00000003 0000');
  come({ kind: 'Ping' }, 4);
  assert.deepEqual(out(), [
    ['Error', 3, 1, 0x26],
    ['Error', 3, 1, 0x05],
    ['Pong', 4],
  ]);
  assert.equal(session.ended, null);
});

test('a version or a length that cannot be used is told under 0 about 0, and ends the link', () => {
  for (const [hex, status] of [
    ['00000008 01', 3],
    ['00000007', 1],
    ['00010001', 4],
  ]) {
    const { bytes, come, out, session } = opened();
    bytes(hex);
    assert.deepEqual(out(), [['Error', 0, status, 0]]);
    assert.notEqual(session.ended, null);
    come({ kind: 'Ping' }, 4);
    assert.deepEqual(out(), []);
  }
});

test('JSON: a line that is no message, an unknown kind, a missing one, a line that is too long', () => {
  const { session, out, come } = opened({ codec: new JsonCodec(), agreed: { max_frame: 1_024 } });
  const line = (text) => session.receive(new TextEncoder().encode(`${text}\n`), 0);
  line('');
  line('{"kind":"Ping","id":3,"id":3}');
  line('{"kind":"Dial","id":"3"}');
  line('{"id":4}');
  line('{"kind":"Ping","id":5,"x":0}');
  come({ kind: 'Ping' }, 6);
  assert.deepEqual(out(), [
    ['Error', 0, 1, 0],
    ['Error', 0, 1, 0],
    ['Error', 3, 2, 0],
    ['Error', 4, 1, 0],
    ['Error', 5, 1, 0x05],
    ['Pong', 6],
  ]);
  line('x'.repeat(1_025));
  assert.deepEqual(out(), [['Error', 0, 4, 0]]);
  assert.notEqual(session.ended, null);
});

test('no more requests are under way than the exchange allows; the others are held back in order', () => {
  const { ask, come, out, told, session } = opened({ agreed: { max_in_flight: 2 } });
  for (let count = 0; count < 4; count += 1) ask(QUERY);
  assert.deepEqual(out(), [
    ['CallQuery', 2],
    ['CallQuery', 3],
  ]);
  session.tick(session.nextTick);
  assert.deepEqual(out(), [['Ping', 4]], 'a Ping does not count');
  come({ kind: 'CallQueryReply' }, 3);
  assert.deepEqual(out(), [['CallQuery', 5]]);
  come({ kind: 'Error', status: 5, about: 0x1a }, 2);
  assert.deepEqual(out(), [['CallQuery', 6]]);
  assert.deepEqual(told.answers, ['CallQueryReply', ['CallError', 5]]);
});

test('a request whose wait has ended still counts, since the exchange still counts it', () => {
  const { ask, come, out, told, session } = opened({ agreed: { max_in_flight: 1 } });
  ask(QUERY, 1_000);
  ask(QUERY, 2_000);
  out();
  assert.equal(session.nextTick, 1_000);
  session.tick(1_000);
  assert.deepEqual([told.answers.length, out().length], [1, 0]);
  assert.equal(session.nextTick, 2_000);
  session.tick(2_000);
  assert.deepEqual(told.answers, [
    ['RequestTimedOut', undefined],
    ['RequestTimedOut', undefined],
  ]);
  ask(QUERY);
  assert.deepEqual(out(), []);
  come({ kind: 'CallQueryReply' }, 2);
  assert.deepEqual(out(), [['CallQuery', 3]]);
  assert.equal(told.answers.length, 2);
});

test('nothing is asked before the link is bound', () => {
  const { ask, out, session, answered, come } = opened({ agreed: null });
  ask(QUERY);
  assert.deepEqual(out(), []);
  session.bind({ role: AGENT }, answered);
  come({ kind: 'BindReply', status: 11 }, 1);
  assert.deepEqual(out(), [['Bind', 1]]);
  assert.equal(session.bound, false);
});

test('the limit on frames that was agreed holds in both directions', () => {
  const { ask, out, told, session, bytes } = opened({ agreed: { max_frame: 2_000 } });
  ask({ kind: 'UpdateRequest', serial: '1', fields: { text: 'x'.repeat(2_000) } });
  assert.deepEqual([told.answers, out()], [[['CodecError', 4]], []]);
  assert.equal(session.ended, null);
  bytes('000007d1');
  assert.deepEqual(out(), [['Error', 0, 4, 0]]);
  const larger = opened({ agreed: { max_frame: 200_000 } });
  larger.come({ kind: 'AgentEvent', serial: '1', fields: { a: 'x'.repeat(60_000), b: 'x'.repeat(60_000) } }, 0);
  assert.deepEqual(larger.told.notices, ['AgentEvent']);
  for (const max_frame of [1_023, 16_777_217]) {
    const broken = opened({ agreed: { max_frame } });
    assert.match(broken.session.ended, /max_frame/);
  }
});

test('0 in a BindReply says nothing: the defaults hold', () => {
  const { session } = opened({ agreed: { max_frame: 0, max_in_flight: 0, heartbeat_s: 0 } });
  assert.equal(session.ended, null);
  assert.deepEqual([session.maxFrame, session.maxInFlight, session.heartbeat], [65_536, 1_024, 30_000]);
});

test('pings go out after silence only, any bytes are life, and two unanswered ones end the link', () => {
  const { session, out, bytes } = opened({ agreed: { heartbeat_s: 10 } });
  assert.equal(session.nextTick, 12_500);
  session.tick(12_499);
  assert.deepEqual(out(), []);
  bytes('000000', 12_499);
  session.tick(12_500);
  assert.deepEqual([out(), session.nextTick], [[], 24_999]);
  session.tick(24_999);
  assert.deepEqual(out(), [['Ping', 2]]);
  bytes('08', 30_000); // still no whole frame
  session.tick(42_500);
  session.tick(55_000);
  assert.deepEqual(out(), [
    ['Ping', 3],
    ['Ping', 4],
  ]);
  assert.equal(session.ended, null);
  session.tick(67_500);
  assert.match(session.ended, /pings/);
});

test('a clock that was held up leaves the other side its time', () => {
  const { session, out } = opened({ agreed: { heartbeat_s: 10 } });
  session.tick(3_600_000);
  assert.deepEqual([out(), session.ended, session.nextTick], [[['Ping', 2]], null, 3_612_500]);
});

test('a link that is lost ends every request, and says which ones never went out', () => {
  const { session, told } = opened({ agreed: { max_in_flight: 1 } });
  const sent = [];
  for (let count = 0; count < 2; count += 1) session.request(QUERY, (error) => sent.push(error.sent));
  session.lost('the cable');
  assert.deepEqual(sent, [true, false]);
  session.request(QUERY, (error) => sent.push(error.sent));
  assert.deepEqual(sent, [true, false, false]);
  assert.deepEqual(told.answers, []);
});

test('invoke ids go round, and never to one that waits or to 0', () => {
  const { session, ask, come, out } = opened();
  ask(QUERY);
  out();
  const seen = new Set();
  for (let count = 0; count < 50; count += 1) {
    ask({ kind: 'CancelRequest', serial: '1' });
    const [[, id]] = out();
    assert.ok(id !== 2 && !seen.has(id));
    seen.add(id);
    come({ kind: 'CancelReply', serial: '1' }, id);
  }
  assert.equal(session.ended, null);
});

test('extensions of the other side are skipped', () => {
  const { session, told } = opened();
  session.receive(
    new BinaryCodec().encode({ kind: 'AgentEvent', serial: '1' }, 0, [{ type: 0x8000, value: new Uint8Array(5) }]),
    0,
  );
  assert.deepEqual(told.notices, ['AgentEvent']);
});
