/** The agent's side against an exchange that goes wrong in every way that the wire allows. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AgentClient, MemoryPositions } from '../src/agent.js';
import { Condition, Status } from '../src/codes.js';
import { BindRefused, CallError, NotConnected, RequestTimedOut } from '../src/errors.js';
import { VirtualClock, turn } from '../test-support/clock.js';
import { FakeExchange } from '../test-support/fake-exchange.js';
import { seeded } from '../test-support/values.js';

const CALL = {
  agent: '1001',
  service: 'bill',
  callingNumber: '13800138000',
  reference: 'desk 7',
  fields: { account: '6222' },
};

/** An exchange, and a client that is connected to it with agent 1001 logged in. */
async function world({
  codec = 'binary',
  positions = new MemoryPositions(),
  exchange = new FakeExchange(codec),
  login = {},
  ...options
} = {}) {
  const clock = new VirtualClock();
  const told = { events: [], gaps: [], epochs: [], ends: [], errors: [] };
  const client = new AgentClient({
    open: exchange.open,
    identity: 'desk',
    secret: 'demo',
    codec,
    clock,
    random: seeded(7),
    positions,
    onError: (error) => told.errors.push(error),
    onRefused: (error) => told.ends.push(error),
    ...options,
  });
  const hears = {
    onEvent: (event) => told.events.push(event),
    onGap: (gap) => told.gaps.push(gap),
    onNewEpoch: (epoch) => told.epochs.push(epoch),
    onEnd: (error) => told.ends.push(error),
    ...login,
  };
  await clock.run(client.connect());
  await clock.run(client.login('1001', hears));
  return { clock, client, exchange, positions, told, run: (promise) => clock.run(promise) };
}

function report(exchange, serial, condition = Condition.COMPLETED, fields = {}) {
  const call = exchange.calls.get(serial);
  call.state = 'closed';
  exchange.tell(call.request.agent, { serial, reference: call.request.reference, condition, fields });
}

function sequences(events) {
  return events.map(({ sequence }) => Number(sequence));
}

for (const codec of ['binary', 'json']) {
  test(`a customer is handed over, and the result comes back (${codec})`, async () => {
    const { client, exchange, told, run } = await world({ codec });
    const heard = [];
    const handOff = await run(client.connectCustomer({ ...CALL, onEvent: (event) => heard.push(event.condition) }));
    assert.match(handOff.serial, /^[0-9]{19}$/);
    assert.equal(handOff.reply.status, 0);
    report(exchange, handOff.serial, Condition.COMPLETED, { paid: true });
    const result = await run(handOff.result);
    assert.deepEqual([result.condition, result.final, result.reference], [1, true, 'desk 7']);
    assert.deepEqual([...result.fields], [['paid', true]]);
    const all = [];
    for await (const event of handOff.events()) all.push(event.condition);
    assert.deepEqual(all, [10, 1]);
    assert.deepEqual(heard, [10, 1]);
    assert.deepEqual(sequences(told.events), [1, 2]);
    assert.equal(exchange.agents.get('1001').events.length, 0, 'every event is acknowledged');
    await run(client.close());
    assert.deepEqual(told.errors, []);
    assert.equal(exchange.sessions.length, 0);
  });
}

test('a hand-off hears events of its own serial only', async () => {
  const { client, exchange, run } = await world();
  const [one, other] = await run(Promise.all([client.connectCustomer(CALL), client.connectCustomer(CALL)]));
  assert.notEqual(one.serial, other.serial);
  report(exchange, other.serial, Condition.FAILED);
  report(exchange, one.serial, Condition.COMPLETED);
  assert.equal((await run(one.result)).condition, 1);
  assert.equal((await run(other.result)).condition, 2);
});

/** A whole hand-off, from the first link to the last; gives the world that it was in. */
async function handedOver(exchange) {
  const made = await world({ exchange });
  const handOff = await made.run(made.client.connectCustomer({ ...CALL, serial: '77' }));
  report(exchange, '77');
  assert.equal((await made.run(handOff.result)).condition, 1);
  await made.run(made.client.close());
  return made;
}

test('a link that is cut behind any byte costs neither the call nor an event, and doubles neither', async () => {
  const clean = await handedOver(new FakeExchange());
  const written = clean.exchange.links[0].map((end) => end.written);
  for (const side of [0, 1]) {
    for (let bytes = 1; bytes <= written[side]; bytes += 1) {
      const exchange = new FakeExchange();
      exchange.cuts = [side ? [Infinity, bytes] : [bytes, Infinity]];
      const { told, positions } = await handedOver(exchange);
      const where = `cut behind byte ${bytes} of side ${side}`;
      assert.deepEqual(sequences(told.events), [1, 2], where);
      assert.equal(exchange.calls.size, 1, where);
      assert.deepEqual([told.gaps, told.epochs, told.errors], [[], [], []], where);
      if (!exchange.agents.get('1001').events.length) continue;
      const later = await world({ exchange, positions }); // the last acknowledgement was cut off
      await later.run(later.client.close());
      assert.deepEqual(sequences(later.told.events), [], where);
      assert.equal(exchange.agents.get('1001').events.length, 0, where);
    }
  }
});

test('a request is repeated under its serial when its answer is lost, late, or not now', async () => {
  const { client, exchange, clock, run } = await world();
  let times = 0;
  exchange.intercept = (session, message, id) => {
    if (message.kind !== 'ConnectRequest') return false;
    times += 1;
    if (times === 1) return true; // no answer at all
    if (times === 2) session.send({ kind: 'ConnectReply', status: 50, serial: message.serial }, id);
    else if (times === 3)
      session.send({ kind: 'ConnectReply', status: 14, serial: message.serial, retry_after: 7 }, id);
    else return false;
    return true;
  };
  const began = clock.now();
  const handOff = await run(client.connectCustomer(CALL));
  const asked = exchange.of('ConnectRequest');
  assert.equal(asked.length, 4);
  assert.deepEqual(new Set(asked.map(({ serial }) => serial)), new Set([handOff.serial]));
  assert.ok(clock.now() - began >= 17_000, 'the time-out, and the seconds that the exchange asked for');
});

test('what can never succeed is asked once', async () => {
  for (const status of [5, 20, 22, 24, 30, 34, 35, 36, 41, 42, 51, 999]) {
    const { client, exchange, run } = await world();
    exchange.intercept = (session, message, id) => {
      if (message.kind === 'ConnectRequest') session.send({ kind: 'ConnectReply', status, serial: message.serial }, id);
      return message.kind === 'ConnectRequest';
    };
    await assert.rejects(
      run(client.connectCustomer(CALL)),
      (error) => error instanceof CallError && error.status === (status === 999 ? 51 : status),
    );
    assert.equal(exchange.of('ConnectRequest').length, 1);
  }
});

test('an Error about the request, or a malformed reply, refuses it', async () => {
  const { client, exchange, run } = await world();
  exchange.intercept = (session, message, id) => {
    if (message.kind === 'ConnectRequest') session.send({ kind: 'Error', status: 1, about: 0x14, detail: 'no' }, id);
    return message.kind === 'ConnectRequest';
  };
  await assert.rejects(run(client.connectCustomer(CALL)), { status: 1 });
  assert.equal(exchange.of('ConnectRequest').length, 1);
});

test('a call that has ended before the repeat arrives is heard all the same', async () => {
  const { client, exchange, run } = await world();
  exchange.intercept = (session, message) => {
    if (message.kind !== 'ConnectRequest') return false;
    exchange.intercept = () => false;
    session.transport.left = 0; // the reply, and the events, never leave
    exchange.onConnectRequest(session, message, 1);
    exchange.end(exchange.calls.get('5'), Condition.UNREACHABLE, 31);
    return true;
  };
  const handOff = await run(client.connectCustomer({ ...CALL, serial: '5' }));
  assert.equal(handOff.reply.status, Status.ALREADY_FINISHED);
  const result = await run(handOff.result);
  assert.deepEqual([result.condition, result.status], [14, 31]);
});

test('without an own serial nothing is said twice', async () => {
  const { client, exchange, run } = await world();
  const handOff = await run(client.connectCustomer({ ...CALL, serial: '' }));
  assert.equal(handOff.serial, '00000000000000000001');
  report(exchange, handOff.serial);
  assert.equal((await run(handOff.result)).condition, 1);
  const conditions = [];
  for await (const event of handOff.events()) conditions.push(event.condition);
  assert.deepEqual(conditions, [10, 1], 'also what came before the serial was known');
  exchange.intercept = (session, message) => {
    if (message.kind === 'ConnectRequest') session.transport.cut();
    return message.kind === 'ConnectRequest';
  };
  await assert.rejects(run(client.connectCustomer({ ...CALL, serial: '' })), { name: 'LinkLost' });
  assert.equal(exchange.of('ConnectRequest').length, 2);
});

test('a request that gets no answer in time says under which serial', async () => {
  const { client, exchange, run } = await world();
  exchange.intercept = (session, message) => message.kind === 'ConnectRequest';
  await assert.rejects(
    run(client.connectCustomer(CALL)),
    (error) => error instanceof RequestTimedOut && /^[0-9]{19}$/.test(error.serial),
  );
});

test('doubled events are heard once', async () => {
  const { client, exchange, told, run } = await world();
  const handOff = await run(client.connectCustomer(CALL));
  const mailbox = exchange.agents.get('1001');
  const send = mailbox.session.send.bind(mailbox.session);
  mailbox.session.send = (message, id) => {
    send(message, id);
    if (message.kind === 'AgentEvent') send(message, id);
  };
  exchange.tell('1001', { serial: handOff.serial });
  report(exchange, handOff.serial);
  await run(handOff.result);
  assert.deepEqual(sequences(told.events), [1, 2, 3]);
  assert.deepEqual(told.gaps, []);
});

test('a position is stored before its event is acknowledged', async () => {
  const order = [];
  const positions = new MemoryPositions();
  const save = positions.save.bind(positions);
  positions.save = async (agent, position) => {
    await turn();
    order.push(`saved ${position.sequence}`);
    save(agent, position);
  };
  const { client, exchange, told, run } = await world({
    positions,
    login: { onEvent: (event) => order.push(`heard ${event.sequence}`) },
  });
  exchange.intercept = (session, message) => {
    if (message.kind === 'AgentEventAck') order.push(`acknowledged ${message.sequence}`);
    return false;
  };
  const handOff = await run(client.connectCustomer(CALL));
  report(exchange, handOff.serial);
  await run(handOff.result);
  await turn();
  assert.deepEqual(order, ['saved 0', 'heard 1', 'saved 1', 'acknowledged 1', 'heard 2', 'saved 2', 'acknowledged 2']);
  assert.deepEqual(positions.load('1001'), { epoch: String(exchange.epoch), sequence: '2' });
  assert.deepEqual(told.errors, []);
});

test('an event that the application, or its store, fails to take comes again, and the order is kept', async () => {
  let failures = 2;
  const taken = [];
  const positions = new MemoryPositions();
  const save = positions.save.bind(positions);
  const { client, exchange, told, run } = await world({
    positions,
    login: {
      onEvent(event) {
        if (failures-- > 0) throw new Error('not now');
        taken.push(Number(event.sequence));
      },
    },
  });
  let refusals = 2;
  positions.save = (agent, position) => {
    if (refusals-- > 0) throw new Error('the disk is full');
    save(agent, position);
  };
  const handOff = await run(client.connectCustomer(CALL));
  report(exchange, handOff.serial);
  await run(handOff.result);
  await run(client.close());
  assert.deepEqual(taken, [1, 2]);
  assert.equal(told.errors.length, 4);
  assert.equal(exchange.agents.get('1001').events.length, 0);
});

test('a later run goes on behind the position', async () => {
  const positions = new MemoryPositions();
  const first = await world({ positions });
  first.exchange.tell('1001', { serial: '1' });
  await turn();
  await first.run(first.client.close());
  first.exchange.tell('1001', { serial: '1' });
  const second = await world({ positions, exchange: first.exchange });
  await turn();
  assert.deepEqual(sequences(first.told.events), [1]);
  assert.deepEqual(sequences(second.told.events), [2]);
  assert.deepEqual([second.told.gaps, second.told.epochs], [[], []]);
});

test('a gap is told, on the link and at the next login', async () => {
  const { exchange, told, clock } = await world();
  const mailbox = exchange.agents.get('1001');
  exchange.tell('1001', { serial: '1' });
  mailbox.last += 2n;
  exchange.tell('1001', { serial: '1' });
  await turn();
  assert.deepEqual(sequences(told.events), [1, 4]);
  assert.deepEqual(told.gaps, [{ agent: '1001', first: 2, last: 3 }]);
  exchange.cutAll();
  await turn();
  mailbox.last += 5n; // and no event of those is there any more
  exchange.tell('1001', { serial: '1' });
  await clock.pass(60_000);
  assert.deepEqual(sequences(told.events), [1, 4, 10]);
  assert.deepEqual(told.gaps[1], { agent: '1001', first: 5, last: 9 });
  assert.deepEqual(told.errors, []);
});

test('a new epoch is told and adopted, and its events are heard from its first one on', async () => {
  const { exchange, told, clock, positions } = await world();
  for (let count = 0; count < 3; count += 1) exchange.tell('1001', { serial: '1' });
  await turn();
  const before = String(exchange.epoch);
  exchange.beginEpoch(5n);
  exchange.tell('1001', { serial: '9' });
  await clock.pass(60_000);
  assert.deepEqual(told.epochs, [{ agent: '1001', epoch: 5, before: { epoch: before, sequence: '3' } }]);
  assert.deepEqual(told.events.map(({ sequence, serial }) => [Number(sequence), serial]).slice(-1), [[1, '9']]);
  assert.deepEqual(positions.load('1001'), { epoch: '5', sequence: '1' });
  exchange.beginEpoch(5n); // the same epoch, but it knows less: a backup that was restored
  await clock.pass(60_000);
  assert.equal(told.epochs.length, 2);
  assert.deepEqual(told.gaps, []);
});

test('a hand-off whose final event is lost does not wait for ever, and one that goes on does', async () => {
  const { client, exchange, run, clock } = await world();
  const [over, open] = await run(Promise.all([client.connectCustomer(CALL), client.connectCustomer(CALL)]));
  exchange.calls.get(over.serial).state = 'closed';
  exchange.beginEpoch(6n);
  await assert.rejects(run(over.result), { status: Status.NUMBERING_ANEW });
  await clock.pass(60_000);
  report(exchange, open.serial);
  assert.equal((await run(open.result)).condition, 1);
});

test('another link that takes the number over ends it here, and the client does not fight for it', async () => {
  const { client, exchange, told, run, clock } = await world();
  const handOff = await run(client.connectCustomer(CALL));
  const other = await world({ exchange });
  await assert.rejects(run(handOff.result), { status: 13 });
  assert.equal(told.ends[0].status, 13);
  await clock.pass(60_000);
  assert.equal(exchange.of('AgentLogin').length, 2);
  await assert.rejects(run(client.connectCustomer(CALL)), { status: 42 });
  await other.run(other.client.close());
});

test('a login that is refused is told, and one that is not possible now is tried again', async () => {
  const exchange = new FakeExchange();
  const statuses = [14, 50];
  exchange.intercept = (session, message, id) => {
    if (message.kind !== 'AgentLogin' || !statuses.length) return false;
    session.send({ kind: 'AgentLoginReply', status: statuses.shift() }, id);
    return true;
  };
  const { client, run, told, clock } = await world({ exchange });
  assert.equal(exchange.of('AgentLogin').length, 3);
  exchange.intercept = (session, message, id) => {
    if (message.kind !== 'AgentLogin') return false;
    session.send({ kind: 'AgentLoginReply', status: 5, detail: 'not yours' }, id);
    return true;
  };
  await assert.rejects(run(client.login('1002')), { status: 5 });
  exchange.cutAll();
  await clock.pass(60_000);
  assert.deepEqual(
    told.ends.map(({ status }) => status),
    [5],
  );
});

test('cancel, update and the open calls', async () => {
  const { client, exchange, run } = await world();
  const handOff = await run(client.connectCustomer(CALL));
  const { calls, complete } = await run(client.openCalls('1001'));
  assert.equal(complete, true);
  assert.deepEqual(
    calls.map(({ serial, reference, since }) => [serial, reference, since instanceof Date]),
    [[handOff.serial, 'desk 7', true]],
  );
  await run(Promise.all([handOff.update({ account: '1' }), handOff.update({ account: '2', vip: true })]));
  assert.deepEqual(
    [...exchange.calls.get(handOff.serial).fields],
    [
      ['account', '2'],
      ['vip', true],
    ],
  );
  await run(handOff.cancel());
  assert.equal((await run(handOff.result)).condition, Condition.CANCELLED);
  await assert.rejects(run(handOff.cancel()), { status: 24 });
  await assert.rejects(run(handOff.update({ account: '3' })), { status: 24 });
  await assert.rejects(run(client.cancel('404')), { status: 20 });
});

test('a cancel whose answer is lost is one that was done', async () => {
  const { client, exchange, run } = await world();
  const handOff = await run(client.connectCustomer(CALL));
  exchange.intercept = (session, message) => {
    if (message.kind !== 'CancelRequest') return false;
    exchange.intercept = () => false;
    exchange.end(exchange.calls.get(message.serial), 16);
    session.transport.cut();
    return true;
  };
  await run(handOff.cancel());
  assert.equal((await run(handOff.result)).condition, Condition.CANCELLED);
});

test('conditions and statuses of a later version', async () => {
  const { client, exchange, run } = await world();
  const handOff = await run(client.connectCustomer(CALL));
  exchange.tell('1001', { serial: handOff.serial, condition: 77, status: 999 });
  exchange.tell('1001', { serial: handOff.serial, condition: 0x80 });
  const result = await run(handOff.result);
  assert.equal(result.condition, 0x80);
  const all = [];
  for await (const event of handOff.events()) all.push([event.condition, event.final, event.status]);
  assert.deepEqual(all, [
    [10, false, 0],
    [77, false, 51],
    [0x80, true, 0],
  ]);
});

test('the pauses between links grow, and none is as another', async () => {
  const { exchange, clock } = await world();
  const opened = [];
  const { open } = exchange;
  exchange.cutAll();
  const clock2 = new VirtualClock();
  const client = new AgentClient({
    open: async () => {
      opened.push(clock2.now());
      if (opened.length < 9) throw new Error('refused');
      return open();
    },
    clock: clock2,
    random: seeded(3),
  });
  await clock2.run(client.connect({ timeout: 600_000 }));
  const pauses = opened.slice(1).map((at, index) => at - opened[index]);
  pauses.forEach((pause, index) => {
    const whole = Math.min(30_000, 500 * 2 ** index);
    assert.ok(pause >= whole / 2 && pause <= whole, `${pause} of ${whole}`);
  });
  assert.equal(new Set(pauses).size, pauses.length);
  await clock2.run(client.close());
  await clock.pass(1);
});

test('an identity that is refused is told at once; one that is refused later is tried seldom', async () => {
  const exchange = new FakeExchange();
  const refuse = (session, message, id) => {
    if (message.kind !== 'Bind') return false;
    session.send({ kind: 'BindReply', status: 11, detail: 'identity or secret' }, id);
    session.transport.close();
    return true;
  };
  const { told, clock, client, run } = await world({ exchange });
  exchange.intercept = refuse;
  exchange.cutAll();
  await clock.pass(120_000);
  assert.ok(told.ends.length >= 4 && told.ends.length <= 9, `${told.ends.length} times in two minutes`);
  assert.ok(told.ends.every((error) => error instanceof BindRefused && error.status === 11));
  exchange.intercept = () => false;
  await clock.pass(60_000);
  assert.ok(client.connected);
  exchange.intercept = refuse;
  const other = new AgentClient({ open: exchange.open, clock, identity: 'x', secret: 'y' });
  await assert.rejects(run(other.connect()), { name: 'BindRefused', status: 11 });
});

test('a client that is closed ends every wait', async () => {
  const { client, run } = await world();
  const handOff = await run(client.connectCustomer(CALL));
  await run(client.close());
  await assert.rejects(handOff.result, NotConnected);
  await assert.rejects(client.openCalls('1001'), NotConnected);
});

test('an exchange that goes away is left, and found again', async () => {
  const { client, exchange, run, clock } = await world();
  exchange.sessions[0].ask({ kind: 'Unbind', status: 15 }, () => exchange.sessions[0].transport.close());
  await clock.pass(10_000);
  assert.ok(client.connected);
  assert.equal(exchange.of('Bind').length, 2);
  await run(client.connectCustomer(CALL));
});

test('more events than may wait here are left to another login, and come in order', async () => {
  let go;
  const held = new Promise((resolve) => {
    go = resolve;
  });
  const heard = [];
  const { exchange, run, client, told } = await world({
    login: { onEvent: (event) => (heard.push(Number(event.sequence)) === 1 ? held : undefined) },
  });
  const many = 10_050;
  for (let count = 0; count < many; count += 1) exchange.tell('1001', { serial: '1' });
  await turn();
  go();
  await turn();
  await turn();
  assert.deepEqual(
    heard,
    Array.from({ length: many }, (_, index) => index + 1),
  );
  assert.equal(exchange.of('AgentLogin').length, 2);
  await run(client.close());
  assert.equal(exchange.agents.get('1001').events.length, 0);
  assert.deepEqual([told.gaps, told.errors], [[], []]);
});

test('a login without an answer is taken back', async () => {
  const { client, exchange, run, clock } = await world();
  exchange.intercept = (session, message) => message.kind === 'AgentLogin';
  await assert.rejects(run(client.login('1002')), { name: 'RequestTimedOut' });
  await clock.pass(1_000);
  assert.deepEqual(
    exchange.of('AgentLogout').map(({ agent }) => agent),
    ['1002'],
  );
});

test('callbacks that throw end nothing', async () => {
  const fails = () => {
    throw new Error('of the application');
  };
  const { client, exchange, run, clock } = await world({
    onError: fails,
    login: { onGap: fails, onNewEpoch: fails, onEnd: fails },
  });
  const mailbox = exchange.agents.get('1001');
  mailbox.last += 3n;
  exchange.tell('1001', { serial: '1' });
  exchange.sessions[0].send({ kind: 'Error', status: 14, about: 0x19 }, 0);
  exchange.beginEpoch(9n);
  await clock.pass(60_000);
  const handOff = await run(client.connectCustomer({ ...CALL, onEvent: fails }));
  report(exchange, handOff.serial);
  assert.equal((await run(handOff.result)).condition, 1);
});
