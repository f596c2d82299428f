/** Calls and states of agents, against an exchange that is played: what is shown, what is asked, and lost links. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AgentClient, Call, SHOWN } from '../src/agent.js';
import { Action, AgentStateCode, CallChange, ConnectionState, MonitorSwitch } from '../src/codes.js';
import { CallError, LinkLost, NotConnected, RequestTimedOut } from '../src/errors.js';
import { VirtualClock, turn } from '../test-support/clock.js';
import { FakeCallExchange, party } from '../test-support/fake-calls.js';
import { seeded } from '../test-support/values.js';

const TALKING = [Action.HOLD, Action.CONSULT, Action.BLIND_TRANSFER];

/** An exchange, and a client with agent 1001, whose calls and states are noted. */
async function world({ codec = 'binary', exchange = new FakeCallExchange(codec), login = {} } = {}) {
  const clock = new VirtualClock();
  const told = { calls: [], states: [], ends: [], errors: [] };
  const client = new AgentClient({
    open: exchange.open,
    codec,
    clock,
    random: seeded(7),
    onError: (error) => told.errors.push(error),
  });
  const hears = {
    onCall: (call, change) => told.calls.push([call, change.eventText]),
    onState: ({ state }) => told.states.push(state),
  };
  await clock.run(client.connect());
  const agent = await clock.run(client.login('1001', { ...hears, onEnd: (error) => told.ends.push(error), ...login }));
  await clock.pass(0); // now it is told
  const run = (promise) => clock.run(promise);
  return { clock, client, agent, exchange, told, hears, run };
}

/** The same, and the agent talks with a customer. */
async function talking(options) {
  const made = await world(options);
  made.exchange.rings('1001', '1', { state: 2, actions: TALKING, event: CallChange.ESTABLISHED });
  await turn();
  return { ...made, call: made.agent.calls.get('1') };
}

function changes(told) {
  return told.calls.map(([, text]) => text);
}

async function refused(promise) {
  const error = await promise.then(
    () => assert.fail('it was done'),
    (reason) => reason,
  );
  assert.ok(error instanceof CallError, String(error));
  return error.status;
}

for (const codec of ['binary', 'json']) {
  test(`a call is followed from its first ring to its end (${codec})`, async () => {
    const { agent, exchange, told, run, client } = await world({ codec });
    assert.deepEqual([agent.calls.size, agent.state.state, agent.upToDate], [0, AgentStateCode.READY, true]);
    exchange.rings('1001', '1', { fields: { order: 4711 }, version: 3, queue: 'sales' });
    await turn();
    const [call] = agent.calls.values();
    assert.ok(call instanceof Call);
    assert.deepEqual([call.id, call.serial, call.agent, call.queue, call.over], ['1', '91', '1001', 'sales', false]);
    assert.deepEqual([call.state, call.customer.number], [ConnectionState.ALERTING, '13800138000']);
    assert.deepEqual([[...call.data], call.version], [[['order', 4711]], 3]);
    assert.deepEqual(call.actions, [Action.ANSWER, Action.REJECT, Action.DEFLECT]);
    assert.deepEqual([call.allows(Action.ANSWER), call.allows(Action.HOLD), call.allows(99)], [true, false, false]);
    exchange.rings('1001', '1', { state: 2, actions: TALKING, event: CallChange.ESTABLISHED });
    await turn();
    assert.ok(call.allows(Action.HOLD));
    exchange.happens('1001', CallChange.CLEARED, '1', { parties: [] });
    await turn();
    assert.deepEqual([agent.calls.size, call.over, call.state, call.allows(Action.HOLD)], [0, true, null, false]);
    assert.deepEqual(told.calls, [[call, 'alerting'], [call, 'established'], [call, 'cleared']]);
    await run(client.close());
    assert.deepEqual(told.errors, []);
  });
}

test('calls and state are known when the login is, and told once the application knows of it', async () => {
  const exchange = new FakeCallExchange();
  exchange.rings('1001', '1');
  exchange.rings('1001', '2');
  exchange.becomes('1001', AgentStateCode.BUSY, { pending_state: 1, pending_reason: 'lunch', queues: 'a b', until: 5 });
  const clock = new VirtualClock();
  const client = new AgentClient({ open: exchange.open, clock });
  await clock.run(client.connect());
  const told = [];
  const onCall = (call, { event }) => told.push([call.id, event]);
  const agent = await clock.run(client.login('1001', { onCall, onState: ({ state }) => told.push(state) }));
  assert.deepEqual([[...agent.calls.keys()], told], [['1', '2'], []]);
  const { pendingState, pendingReason, queues, until } = agent.state;
  assert.deepEqual([pendingState, pendingReason, queues, until], [1, 'lunch', ['a', 'b'], new Date(5)]);
  await clock.pass(0);
  assert.deepEqual(told, [AgentStateCode.BUSY, ['1', SHOWN], ['2', SHOWN]]);
});

test('each action says what it asks for, once', async () => {
  const { call, exchange, run, agent } = await talking();
  const asked = async (promise) => {
    await run(promise);
    const { action, call: id, other, destination, value, seconds, fields } = exchange.heard.at(-1);
    return [action, id, other || destination || value, seconds, Object.fromEntries(fields)];
  };
  const plain = ['answer', 'reject', 'hold', 'retrieve', 'alternate', 'reconnect', 'transfer', 'conference', 'leave'];
  const actions = [2, 3, 5, 6, 8, 9, 10, 12, 15];
  for (const [index, name] of plain.entries()) {
    assert.deepEqual(await asked(call[name]()), [actions[index], '1', '', 0, {}], name);
  }
  const data = { why: 'bill' };
  assert.deepEqual(await asked(agent.makeCall('1002', data)), [Action.MAKE, '', '1002', 0, data]);
  assert.deepEqual(await asked(call.deflect('1002', { ring: 9 })), [Action.DEFLECT, '1', '1002', 9, {}]);
  assert.deepEqual(await asked(call.consult('1002', data, { ring: 9 })), [Action.CONSULT, '1', '1002', 9, data]);
  assert.deepEqual(await asked(call.transfer('1002', data)), [Action.BLIND_TRANSFER, '1', '1002', 0, data]);
  assert.deepEqual(await asked(call.add('1002')), [Action.ADD_PARTY, '1', '1002', 0, {}]);
  assert.deepEqual(await asked(call.drop(call.customer)), [Action.DROP_PARTY, '1', 'customer', 0, {}]);
  assert.deepEqual(await asked(call.drop('id')), [Action.DROP_PARTY, '1', 'id', 0, {}]);
  assert.deepEqual(await asked(call.clear()), [Action.CLEAR, '1', '', 0, {}]);
  assert.deepEqual(await asked(call.digits('12#')), [Action.DIGITS, '1', '12#', 0, {}]);
  for (const [index, name] of ['record', 'pause', 'resume', 'stop'].entries()) {
    assert.deepEqual(await asked(call[name]()), [Action.RECORD_START + index, '1', '', 0, {}], name);
  }
  assert.deepEqual(await asked(call.mark('complaint')), [Action.MARK, '1', 'complaint', 0, {}]);
  for (const [index, name] of ['listen', 'whisper', 'barge', 'intercept', 'stopSupervision'].entries()) {
    assert.deepEqual(await asked(call[name]('1900')), [Action.LISTEN + index, '1', '1900', 0, {}], name);
  }
});

test('what the exchange refuses is refused, and not asked again', async () => {
  const { call, exchange, run } = await talking();
  for (const status of [60, 61, 63, 65, 67, 14, 50, 999]) {
    exchange.replies = [{ status, detail: 'no' }];
    const before = exchange.of('CallControl').length;
    assert.equal(await refused(run(call.hold())), status === 999 ? 51 : status);
    assert.equal(exchange.of('CallControl').length, before + 1);
  }
});

// ---------------------------------------------------------------- what becomes of it

test('what becomes of an action is waited for, also where it has come before', async () => {
  const { call, exchange, run } = await talking();
  exchange.happens('1001', CallChange.HELD, '1'); // of another action, before
  await turn();
  await run(call.retrieve());
  exchange.happens('1001', CallChange.RETRIEVED, '1');
  await turn();
  assert.equal((await run(call.until(CallChange.RETRIEVED))).call, '1');
  await run(call.hold());
  const waiting = call.until([CallChange.HELD, CallChange.DIVERTED], { timeout: Infinity });
  exchange.happens('1001', 77, '1'); // of a later version
  exchange.happens('1001', CallChange.HELD, '1');
  const held = await run(waiting);
  assert.deepEqual([held.event, held.eventText, held.agent], [CallChange.HELD, 'held', '1001']);
});

test('what has failed ends the wait with its status', async () => {
  const { call, exchange, run, agent } = await talking();
  const other = await run(call.consult('0301'));
  assert.deepEqual([other.related, other.serial, [...agent.calls.values()]], ['1', '77', [call, other]]);
  exchange.happens('1001', CallChange.FAILED, other.id, { parties: [], related: '1' }, { status: 63, cause: 17 });
  await turn();
  assert.equal(other.over, false, 'that it is over is told next');
  exchange.happens('1001', CallChange.CLEARED, other.id);
  assert.equal(await refused(run(other.until(CallChange.ESTABLISHED))), 63);
  assert.deepEqual([other.over, call.over], [true, false]);
});

test('events may come before the answer is seen: a call that has failed by then does not come back', async () => {
  const { call, exchange, run, agent } = await talking();
  exchange.intercept = (session, message, id) => {
    if (message.kind !== 'CallControl') return false;
    const sent = [];
    session.transport.write = (frame) => sent.push(...frame);
    exchange.onCallControl(session, message, id);
    exchange.happens('1001', CallChange.FAILED, '18', { parties: [], related: '1' }, { status: 63 });
    exchange.happens('1001', CallChange.CLEARED, '18');
    delete session.transport.write;
    session.transport.write(Uint8Array.from(sent)); // in one piece
    return true;
  };
  const other = await run(call.consult('0301'));
  assert.deepEqual([other.id, other.over, [...agent.calls.keys()]], ['18', true, ['1']]);
  assert.equal(await refused(run(other.until(CallChange.ESTABLISHED))), 63);
});

test('who gives up a call that rings waits for its end alone', async () => {
  const { agent, exchange, run } = await world();
  const made = await run(agent.makeCall('1002'));
  await run(made.clear());
  exchange.happens('1001', CallChange.FAILED, made.id, { parties: [] }, { status: 64 });
  exchange.happens('1001', CallChange.CLEARED, made.id);
  assert.equal((await run(made.until(CallChange.CLEARED))).event, CallChange.CLEARED);
});

test('a wait ends with the call, and with its time', async () => {
  const { call, exchange, run } = await talking();
  await assert.rejects(run(call.until(CallChange.HELD, { timeout: 5_000 })), RequestTimedOut);
  const waiting = call.until(CallChange.HELD, { timeout: Infinity });
  exchange.happens('1001', CallChange.CLEARED, '1');
  assert.equal(await refused(run(waiting)), 60);
});

test('a transfer is told of the call that the consultation is for, and a wait on either hears it', async () => {
  for (const named of ['call', 'consultation']) {
    const { call, exchange, run } = await talking();
    const other = await run(call.consult('1002'));
    exchange.rings('1001', other.id, { state: 2, related: '1', event: CallChange.ESTABLISHED });
    await turn();
    const asked = named === 'call' ? call : other;
    await run(asked.transfer());
    const waiting = asked.until(CallChange.TRANSFERRED);
    if (named === 'call') exchange.happens('1001', CallChange.CLEARED, other.id);
    const parties = [party('customer'), party('other', { role: 1, agent: '1002' })];
    exchange.happens('1001', CallChange.TRANSFERRED, '1', { parties });
    assert.equal((await run(waiting)).call, '1');
    assert.ok(call.over, 'the agent is in it no more');
  }
});

test('a call that comes back is the same object', async () => {
  const { call, exchange, agent } = await talking();
  exchange.happens('1001', CallChange.TRANSFERRED, '1', { parties: [] });
  await turn();
  assert.ok(call.over);
  exchange.rings('1001', '1');
  await turn();
  assert.deepEqual([agent.calls.get('1') === call, call.over], [true, false]);
});

// ---------------------------------------------------------------- lost links

test('an action whose answer is lost with the link is not said again, and the snapshot shows the truth', async () => {
  const { call, exchange, run, clock, told } = await talking();
  exchange.intercept = (session, message) => {
    if (message.kind !== 'CallControl') return false;
    exchange.rings('1001', '1', { state: 6, actions: [Action.RETRIEVE], event: CallChange.HELD });
    session.transport.cut(); // what it wrote is lost with it
    return true;
  };
  session(exchange).send = () => {};
  await assert.rejects(run(call.hold()), (error) => error instanceof LinkLost && error.sent);
  await assert.rejects(run(call.until(CallChange.HELD)), LinkLost);
  assert.equal(call.state, ConnectionState.CONNECTED, 'as it was told last');
  await clock.pass(10_000);
  assert.equal(exchange.of('CallControl').length, 1);
  assert.deepEqual([call.state, call.allows(Action.RETRIEVE)], [ConnectionState.HELD, true]);
  assert.deepEqual(changes(told), ['established', 'shown']);
});

function session(exchange) {
  return exchange.sessions[0];
}

test('the snapshot behind each Bind replaces what was known', async () => {
  const { agent, call, exchange, clock, told } = await talking();
  exchange.rings('1001', '2');
  exchange.rings('1001', '3');
  await turn();
  exchange.cutAll();
  await turn();
  assert.deepEqual([agent.upToDate, [...agent.calls.keys()]], [false, ['1', '2', '3']]);
  exchange.happens('1001', CallChange.CLEARED, '2');
  exchange.rings('1001', '4');
  told.calls.length = told.states.length = 0;
  await clock.pass(10_000);
  assert.deepEqual([agent.upToDate, [...agent.calls.keys()]], [true, ['1', '3', '4']]);
  assert.deepEqual(
    told.calls.map(([{ id }, text]) => [id, text]),
    [['2', 'cleared'], ['4', 'shown']],
    'and what has not changed is not told again',
  );
  assert.deepEqual([told.states, agent.calls.get('1') === call], [[], true]);
  assert.deepEqual(exchange.of('Monitor').map((monitor) => [monitor.session, monitor.mode]), [[1, 1], [2, 1]]);
});

test('a wait ends with its link, and one for a state does not', async () => {
  const { agent, call, exchange, clock, run } = await talking();
  const waiting = assert.rejects(call.until(CallChange.HELD, { timeout: Infinity }), LinkLost);
  const state = agent.untilState([AgentStateCode.NOT_READY, AgentStateCode.LOGGED_OUT], { timeout: Infinity });
  exchange.cutAll();
  await waiting;
  await clock.pass(10_000);
  exchange.becomes('1001', AgentStateCode.NOT_READY, { reason: 'lunch' });
  assert.equal((await run(state)).reason, 'lunch');
});

test('without a link nothing is asked', async () => {
  const { agent, call, exchange, clock } = await talking();
  exchange.cutAll();
  await turn();
  for (const asked of [call.hold(), call.update({ a: 1 }), agent.makeCall('1002'), agent.setState(2)]) {
    await assert.rejects(asked, (error) => error instanceof LinkLost && !error.sent);
  }
  await clock.pass(10_000);
  assert.deepEqual([...exchange.of('CallControl'), ...exchange.of('CallData'), ...exchange.of('AgentState')], []);
});

test('what a snapshot shows can be acted on at once, while other numbers still log in', async () => {
  const { agent, call, exchange, clock, run, client } = await talking();
  await run(client.login('1002'));
  exchange.intercept = (session, message) => message.kind === 'AgentLogin' && message.agent === '1002';
  exchange.cutAll();
  await clock.pass(2_000);
  assert.deepEqual([agent.upToDate, client.connected], [true, false]);
  await run(call.hold());
});

test('an action without an answer is not said again either', async () => {
  const { call, exchange, run } = await talking();
  exchange.intercept = (session, message) => message.kind === 'CallControl';
  await assert.rejects(run(call.hold({ timeout: 1_000 })), RequestTimedOut);
  assert.equal(exchange.of('CallControl').length, 1);
});

// ---------------------------------------------------------------- without call control

test('where the exchange controls no calls the methods say so, and all else goes on', async () => {
  const exchange = new FakeCallExchange();
  exchange.grants = { 1: '', 2: '' };
  const { client, agent, run, told } = await world({ exchange });
  assert.deepEqual([agent.calls.size, agent.state, agent.upToDate], [0, null, false]);
  assert.equal(await refused(run(agent.makeCall('1002'))), 62);
  assert.equal(await refused(run(agent.setState(AgentStateCode.READY))), 62);
  assert.equal(await refused(run(client.monitor('1002'))), 62);
  assert.equal((await run(client.connectCustomer({ agent: '1001', service: 'bill' }))).reply.status, 0);
  assert.deepEqual([exchange.of('Monitor'), told.errors], [[], []]);
});

test('an application for hand-offs alone follows no calls', async () => {
  const { agent, run, exchange } = await world({ login: { calls: false } });
  assert.equal(await refused(run(agent.makeCall('1002'))), 62);
  assert.deepEqual(exchange.of('Monitor'), []);
});

test('a Monitor that is refused keeps nobody from logging in', async () => {
  const exchange = new FakeCallExchange();
  exchange.intercept = (session, message, id) => {
    if (message.kind === 'Monitor') session.send({ kind: 'MonitorReply', status: 5 }, id);
    return message.kind === 'Monitor';
  };
  const { client, told, agent, run } = await world({ exchange });
  assert.deepEqual([told.errors.map(({ status }) => status), agent.upToDate], [[5], false]);
  assert.equal((await run(client.connectCustomer({ agent: '1001', service: 'bill' }))).reply.status, 0);
});

// ---------------------------------------------------------------- data, states, hand-offs

test('data is changed with the newest version until it is kept', async () => {
  const { call, exchange, run } = await talking();
  exchange.changesData('1001', '1', { a: 1, old: true });
  await turn();
  call.version = 0; // as it was shown before
  exchange.replies = [{ status: 67 }];
  await run(call.update({ b: 2 }, { drop: ['old'] }));
  assert.deepEqual(
    exchange.of('CallData').map(({ version }) => version),
    [0, 0, 1],
    'again after a moment at 67, with the newest version at 22',
  );
  assert.deepEqual([call.version, Object.fromEntries(call.data)], [2, { a: 1, b: 2 }]);
});

test('who says which version the application has shown hears that it is another one', async () => {
  const { call, exchange, run } = await talking();
  exchange.changesData('1001', '1', { a: 1 });
  assert.equal(await refused(run(call.update({ a: 2 }, { version: 0 }))), 22);
  assert.deepEqual([exchange.of('CallData').length, call.version, call.data.get('a')], [1, 1, 1]);
  await run(call.update({ a: 2 }, { version: call.version }));
  assert.equal(call.data.get('a'), 2);
  exchange.replies = [{ status: 35 }];
  assert.equal(await refused(run(call.update({ a: 3 }))), 35);
});

test('a state is asked for', async () => {
  const { agent, exchange, run, told } = await world();
  await run(agent.setState(AgentStateCode.NOT_READY, { reason: 'lunch', queues: ['a', 'b'], seconds: 5 }));
  const { agent_state: state, reason, queues, seconds } = exchange.of('AgentState')[0];
  assert.deepEqual([state, reason, queues, seconds], [1, 'lunch', 'a b', 5]);
  exchange.becomes('1001', AgentStateCode.NOT_READY, { reason: 'lunch', by: 'desk' });
  const now = await run(agent.untilState(AgentStateCode.NOT_READY));
  assert.deepEqual([now.by, now.pendingState, now.until, now === agent.state], ['desk', null, null, true]);
  assert.deepEqual(told.states, [AgentStateCode.READY, AgentStateCode.NOT_READY]);
  exchange.replies = [{ status: 65 }];
  assert.equal(await refused(run(agent.setState(1, { reason: 'nonsense' }))), 65);
  await assert.rejects(run(agent.untilState(AgentStateCode.READY)), RequestTimedOut);
});

test('a hand-off of a call names its serial and its customer', async () => {
  const { call, exchange, run } = await talking();
  const handOff = await run(call.connect('bill', { fields: { account: '7' }, reference: 'desk 7' }));
  const [asked] = exchange.of('ConnectRequest');
  assert.deepEqual([asked.serial, asked.calling_number, asked.agent], ['91', '13800138000', '1001']);
  exchange.tell('1001', { serial: '91', condition: 1 });
  exchange.happens('1001', CallChange.RETURNED, '1', { serial: '92' });
  assert.equal((await run(handOff.result)).condition, 1);
  assert.equal(call.serial, '92');
});

// ---------------------------------------------------------------- supervisors

test('a supervisor follows a number without logging it in', async () => {
  const { client, exchange, hears, told, run, clock } = await world();
  exchange.rings('1002', '5', { state: 2, actions: [Action.LISTEN], event: CallChange.ESTABLISHED });
  const followed = await run(client.monitor('1002', hears));
  await clock.pass(0);
  const call = followed.calls.get('5');
  assert.deepEqual([call.agent, call.allows(Action.LISTEN), changes(told)], ['1002', true, ['shown']]);
  await run(call.listen('1900'));
  const { agent, value } = exchange.of('CallControl')[0];
  assert.deepEqual([agent, value], ['1002', '1900']);
  assert.equal(await refused(run(call.connect('bill'))), 42, 'who is not logged in here hands nobody over');
  exchange.cutAll();
  await clock.pass(10_000);
  assert.deepEqual([followed.upToDate, exchange.follows('1002')], [true, 1]);
  await run(followed.stop());
  assert.equal(exchange.of('Monitor').at(-1).mode, MonitorSwitch.STOP);
  await assert.rejects(run(call.listen('1900')), NotConnected);
  assert.deepEqual([exchange.follows('1002'), followed.calls.size], [0, 0]);
});

test('a number that may not be seen is refused, and one that may be no more is told', async () => {
  const { client, exchange, run, clock } = await world();
  const refuse = (session, message, id) => {
    if (message.kind !== 'Monitor' || message.agent !== '1002') return false;
    session.send({ kind: 'MonitorReply', status: 5 }, id);
    return true;
  };
  exchange.intercept = refuse;
  assert.equal(await refused(run(client.monitor('1002'))), 5);
  exchange.intercept = () => false;
  const ends = [];
  const followed = await run(client.monitor('1002', { onEnd: ({ status }) => ends.push(status) }));
  exchange.intercept = refuse;
  exchange.cutAll();
  await clock.pass(10_000);
  assert.deepEqual([ends, followed.ended.status, client.connected], [[5], 5, true]);
});

test('a number that is followed twice is left with the last one who does', async () => {
  const { client, agent, exchange, run } = await talking();
  const followed = await run(client.monitor('1001'));
  assert.deepEqual([...followed.calls.keys()], ['1']);
  await run(followed.stop());
  assert.deepEqual([exchange.follows('1001'), agent.calls.size], [1, 1]);
  await run(client.logout('1001'));
  await turn();
  assert.equal(exchange.follows('1001'), 0);
});

// ---------------------------------------------------------------- the end

test('behind a logout, and behind a number that is taken over, nothing is asked', async () => {
  for (const [status, ends] of [
    [42, ({ client, run }) => run(client.logout('1001'))],
    [13, ({ exchange }) => world({ exchange })],
  ]) {
    const made = await talking();
    const waiting = refused(made.call.until(CallChange.HELD, { timeout: Infinity }));
    await ends(made);
    await turn();
    assert.equal(await waiting, status);
    assert.equal(await refused(made.call.hold()), status);
    assert.equal(made.agent.calls.size, 0);
    assert.deepEqual(made.told.errors, []);
  }
});

test('a client that is closed ends every wait', async () => {
  const { client, call, agent, run, exchange } = await talking();
  const waits = [call.until(CallChange.HELD, { timeout: Infinity }), agent.untilState(3, { timeout: Infinity })];
  const ended = waits.map((waiting) => assert.rejects(waiting, NotConnected));
  await run(client.close());
  await Promise.all(ended);
  await assert.rejects(call.hold(), NotConnected);
  await assert.rejects(client.monitor('1002'), NotConnected);
  assert.equal(exchange.of('Monitor').length, 1, 'the end of the link is the end of it');
});

test('callbacks that throw end nothing', async () => {
  const fails = () => {
    throw new Error('of the application');
  };
  const { agent, exchange, told } = await world({ login: { onCall: fails, onState: async () => fails() } });
  exchange.rings('1001', '1');
  exchange.rings('1001', '2');
  await turn();
  assert.deepEqual([agent.calls.size, told.errors.length], [2, 3]);
});
