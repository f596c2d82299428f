/** The service's side against an exchange that goes wrong in every way that the wire allows. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Condition } from '../src/codes.js';
import { CallError } from '../src/errors.js';
import { AutomaticService, splitCallingNumber } from '../src/service.js';
import { VirtualClock, turn } from '../test-support/clock.js';
import { FakeExchange } from '../test-support/fake-exchange.js';
import { seeded } from '../test-support/values.js';

async function world({ handler, exchange = new FakeExchange(), codec = 'binary', ...options }) {
  const clock = new VirtualClock();
  const errors = [];
  const service = new AutomaticService({
    open: exchange.open,
    identity: 'ivr',
    secret: 'demo',
    codec,
    clock,
    random: seeded(5),
    handler,
    onError: (error) => errors.push(error),
    ...options,
  });
  await clock.run(service.start());
  return { clock, exchange, service, errors, run: (promise) => clock.run(promise) };
}

/** A call at the exchange, offered to its first service. */
function call(exchange, serial, fields = { account: '6222' }) {
  const request = {
    serial,
    agent: '1001',
    service: 'bill',
    calling_number: '138',
    reference: 'desk 7',
    fields: new Map(Object.entries(fields)),
  };
  const made = { request, fields: request.fields, state: 'connecting', reports: new Map() };
  exchange.calls.set(serial, made);
  const [service] = exchange.services();
  if (service) exchange.connect(made, service);
  else made.state = 'requested';
  return made;
}

function told(exchange) {
  return (exchange.agents.get('1001')?.events ?? []).map(({ condition, fields }) => [
    condition,
    Object.fromEntries(fields instanceof Map ? fields : Object.entries(fields)),
  ]);
}

/** Waits, in the clock's time, until this is so. */
async function until(clock, holds) {
  for (let count = 0; count < 400 && !holds(); count += 1) await clock.pass(500);
  assert.ok(holds());
}

for (const codec of ['binary', 'json']) {
  test(`a customer is served from the Connection to the result (${codec})`, async () => {
    const seen = [];
    const { clock, exchange, service, errors, run } = await world({
      codec,
      exchange: new FakeExchange(codec),
      async handler(served) {
        seen.push(served.serial, served.callingNumber, served.accessCode);
        const fields = await served.fetch();
        seen.push(fields.get('account'), served.agent, served.reference);
        assert.equal(await served.progress({ step: 1 }), 40);
        assert.equal(await served.complete({ paid: true }), 40);
      },
    });
    call(exchange, '0071');
    await until(clock, () => exchange.calls.get('0071').state === 'closed');
    assert.deepEqual(seen, ['0071', '138', '7000', '6222', '1001', 'desk 7']);
    assert.deepEqual(told(exchange), [
      [11, {}],
      [12, {}],
      [0, { step: 1 }],
      [1, { paid: true }],
    ]);
    assert.equal(exchange.of('DataRequest')[0].exchange_address, 'exchange.example:7301');
    assert.equal(exchange.of('Bind')[0].features, 'updates');
    await run(service.stop());
    assert.deepEqual([errors, service.calls], [[], 0]);
  });
}

test('a link that is cut behind any byte costs no result, and doubles none', async () => {
  const handler = async (served) => {
    await served.fetch();
    await served.progress({ step: 1 });
    await served.complete({ paid: true });
  };
  async function servedOver(exchange) {
    let handled = 0;
    const made = await world({
      exchange,
      handler: (served) => {
        handled += 1;
        return handler(served);
      },
    });
    if (exchange.services().length) call(exchange, '7');
    else {
      call(exchange, '7'); // it waits until the service comes back
    }
    await until(made.clock, () => exchange.calls.get('7').state === 'closed' && made.service.calls === 0);
    await made.run(made.service.stop());
    return { ...made, handled };
  }
  const clean = await servedOver(new FakeExchange());
  const written = clean.exchange.links[0].map((end) => end.written);
  for (const side of [0, 1]) {
    for (let bytes = 1; bytes <= written[side]; bytes += 1) {
      const exchange = new FakeExchange();
      exchange.cuts = [side ? [Infinity, bytes] : [bytes, Infinity]];
      const { handled, errors } = await servedOver(exchange);
      const where = `cut behind byte ${bytes} of side ${side}`;
      assert.deepEqual(
        told(exchange).filter(([condition]) => condition < 10),
        [
          [0, { step: 1 }],
          [1, { paid: true }],
        ],
        where,
      );
      assert.equal(handled, 1, where);
      assert.deepEqual(errors, [], where);
    }
  }
});

test('a report is said again under its event id until it is answered', async () => {
  let result;
  const { clock, exchange } = await world({
    async handler(served) {
      result = await served.complete({ paid: true });
    },
  });
  const statuses = [14, 50, 51, 15, 999];
  let silent = 2;
  exchange.intercept = (session, message, id) => {
    if (message.kind !== 'ServiceEvent') return false;
    if (silent > 0) {
      silent -= 1;
      if (silent) exchange.onServiceEvent({ send: () => {} }, message, id); // kept, but the answer is lost
      return true;
    }
    if (!statuses.length) return false;
    session.send({ kind: 'ServiceEventReply', event_id: message.event_id, status: statuses.shift() }, id);
    return true;
  };
  call(exchange, '7');
  await until(clock, () => result !== undefined);
  assert.equal(result, 43);
  const reports = exchange.of('ServiceEvent');
  assert.equal(reports.length, 8);
  assert.equal(new Set(reports.map((report) => report.event_id)).size, 1);
  assert.deepEqual(
    told(exchange).filter(([condition]) => condition < 10),
    [[1, { paid: true }]],
  );
});

test('a report that can never succeed is said once', async () => {
  for (const status of [20, 24, 35, 36, 1, 2, 5]) {
    const refused = [];
    const { clock, exchange } = await world({
      handler: (served) => served.progress({ step: 1 }).catch((error) => refused.push(error.status)),
    });
    exchange.intercept = (session, message, id) => {
      if (message.kind !== 'ServiceEvent' || message.condition !== 0) return false;
      if (status < 10) session.send({ kind: 'Error', status, about: 0x24 }, id);
      else session.send({ kind: 'ServiceEventReply', event_id: message.event_id, status }, id);
      return true;
    };
    call(exchange, '7');
    await until(clock, () => exchange.calls.get('7').state === 'closed');
    assert.deepEqual(refused, [status]);
    assert.equal(exchange.of('ServiceEvent').filter(({ condition }) => condition === 0).length, 1);
  }
});

test('a report whose event id was used for another one goes out under a new one', async () => {
  let result;
  const { clock, exchange } = await world({
    async handler(served) {
      result = await served.complete({ paid: true });
    },
  });
  let used = 2;
  exchange.intercept = (session, message, id) => {
    if (message.kind !== 'ServiceEvent' || used === 0) return false;
    used -= 1;
    session.send({ kind: 'ServiceEventReply', event_id: message.event_id, status: 25 }, id);
    return true;
  };
  call(exchange, '7');
  await until(clock, () => result !== undefined);
  assert.equal(result, 40);
  const reports = exchange.of('ServiceEvent');
  assert.equal(new Set(reports.map(({ event_id: id }) => String(id))).size, 3);
  assert.ok(reports.every(({ condition, fields }) => condition === 1 && fields.get('paid') === true));
});

test('event ids are random, and each report has its own', async () => {
  const { clock, exchange } = await world({
    async handler(served) {
      for (let step = 0; step < 5; step += 1) served.progress({ step });
      served.complete({});
    },
  });
  call(exchange, '7');
  await until(clock, () => exchange.calls.get('7').state === 'closed');
  const reports = exchange.of('ServiceEvent');
  assert.equal(new Set(reports.map(({ event_id: id }) => String(id))).size, 6);
  assert.ok(reports.some(({ event_id: id }) => id > 2n ** 50n));
  assert.deepEqual(
    reports.map(({ condition, fields }) => fields.get('step') ?? condition),
    [0, 1, 2, 3, 4, 1],
    'in order',
  );
});

test('a handler that fails, or ends without a result, is reported', async () => {
  const kept = [];
  const outcomes = [
    () => {
      throw new Error('secret of the customer');
    },
    async () => {},
    async (served) => {
      await served.fail({ code: 1 });
      throw new Error('too late');
    },
    async (served) => {
      await served.complete({ text: 'x'.repeat(60_000), more: 'x'.repeat(60_000) });
    },
    async (served) => {
      await served.complete({ wrong: 1.5 });
    },
    async (served) => {
      await served.abandoned();
      await served.complete({});
    },
  ];
  const { clock, exchange, errors } = await world({ handler: (served) => outcomes[Number(served.serial) - 1](served) });
  for (let serial = 1; serial <= outcomes.length; serial += 1) {
    exchange.agents.clear();
    call(exchange, String(serial));
    await until(clock, () => exchange.calls.get(String(serial)).state === 'closed');
    kept.push(told(exchange).filter(([condition]) => condition < 10));
  }
  assert.deepEqual(kept, [
    [[2, { reason: 'the service failed' }]],
    [[2, { reason: 'the service ended without a result' }]],
    [[2, { code: 1 }]],
    [[2, { reason: 'the service failed' }]],
    [[2, { reason: 'the service failed' }]],
    [[3, {}]],
  ]);
  await turn();
  assert.equal(errors.length, 5);
});

test('CallEnded aborts the call, and is always answered', async () => {
  const seen = [];
  const { clock, exchange, service } = await world({
    async handler(served) {
      served.signal.addEventListener('abort', () => seen.push(served.ended, served.signal.reason.status));
      await new Promise(() => {}); // waits for nothing that ever comes
    },
  });
  const made = call(exchange, '7');
  await until(clock, () => service.calls === 1);
  exchange.end(made, Condition.CANCELLED);
  await until(clock, () => service.calls === 0);
  assert.deepEqual(seen, [16, 24]);
  exchange.services()[0].ask({ kind: 'CallEnded', serial: '404', condition: 15 });
  await turn();
  assert.equal(exchange.of('CallEndedReply').length, 2);
  assert.equal(exchange.of('ServiceEvent').length, 0, 'nothing is reported of a call that is over');
});

test('DataChanged is answered and told', async () => {
  const seen = [];
  let finish;
  const { clock, exchange } = await world({
    async handler(served) {
      seen.push((await served.fetch()).get('account'));
      await new Promise((resolve) => {
        served.onDataChanged(async () => {
          seen.push((await served.fetch()).get('account'));
          resolve();
        });
        finish = true;
      });
      await served.complete({});
    },
  });
  const made = call(exchange, '7');
  await until(clock, () => finish);
  made.fields.set('account', 'corrected');
  made.offered.ask({ kind: 'DataChanged', serial: '7' });
  made.offered.ask({ kind: 'DataChanged', serial: '404' });
  await until(clock, () => made.state === 'closed');
  assert.deepEqual(seen, ['6222', 'corrected']);
  assert.equal(exchange.of('DataChangedReply').length, 2);
});

test('a doubled Connection starts no second handler, and a late one is refused', async () => {
  let handled = 0;
  let finish;
  const { clock, exchange, service } = await world({
    async handler(served) {
      handled += 1;
      await new Promise((resolve) => {
        finish = resolve;
      });
      await served.complete({});
    },
  });
  const made = call(exchange, '7');
  const statuses = [];
  const offer = (more = {}) =>
    made.offered.ask({ kind: 'Connection', access_code: '7000', calling_number: '138**7', ...more }, ({ status }) =>
      statuses.push(status),
    );
  await until(clock, () => finish);
  offer();
  offer({ calling_number: '139**7' });
  await turn();
  assert.deepEqual([statuses, handled], [[0, 22], 1]);
  finish();
  await until(clock, () => service.calls === 0);
  offer();
  await turn();
  assert.deepEqual([statuses, handled], [[0, 22, 24], 1]);
  await clock.pass(61_000);
  offer();
  await turn();
  assert.deepEqual([statuses, handled], [[0, 22, 24, 0], 2], 'a serial may come back after a while');
  finish();
});

test('which customers are refused', async () => {
  const statuses = [];
  const { exchange, service, run } = await world({
    accessCodes: ['7000'],
    maxCalls: 1,
    handler: (served) =>
      new Promise((resolve) => {
        served.signal.addEventListener('abort', resolve);
      }),
  });
  const [session] = exchange.services();
  const offer = async (calling_number, access_code = '7000') => {
    session.ask({ kind: 'Connection', access_code, calling_number }, ({ status }) => statuses.push(status));
    await turn();
  };
  await offer('138');
  await offer('138**12a');
  await offer('138**7', '7001');
  await offer('138**7');
  await offer('138**8');
  const stopping = service.stop();
  await offer('138**9');
  assert.deepEqual(statuses, [20, 20, 30, 0, 14, 15]);
  await run(stopping);
});

test('a service that stops reports those who are still there', async () => {
  const { clock, exchange, service, run } = await world({ handler: () => new Promise(() => {}) });
  const made = call(exchange, '7');
  await until(clock, () => service.calls === 1);
  await run(service.stop());
  assert.equal(made.state, 'closed');
  assert.deepEqual(told(exchange).at(-1), [2, { reason: 'the service stops' }]);
  assert.equal(exchange.sessions.length, 0);
});

test('of several links any will do, and a call goes on over the ones that are left', async () => {
  let go;
  const { clock, exchange } = await world({
    links: 3,
    async handler(served) {
      await served.fetch();
      await new Promise((resolve) => {
        go = resolve;
      });
      await served.complete({});
    },
  });
  await until(clock, () => exchange.services().length === 3);
  const made = call(exchange, '7');
  await until(clock, () => go);
  const began = clock.now();
  exchange.services()[0].transport.cut();
  await turn();
  go();
  await turn();
  await turn();
  assert.equal(made.state, 'closed');
  assert.equal(clock.now(), began, 'without a wait');
});

test('a call that is no longer of this service', async () => {
  let refused;
  const { clock, exchange } = await world({
    async handler(served) {
      refused = await served.fetch().catch((error) => error);
    },
  });
  exchange.services()[0].ask({ kind: 'Connection', access_code: '7000', calling_number: '138**404' });
  await until(clock, () => refused);
  assert.ok(refused instanceof CallError);
  assert.equal(refused.status, 20);
});

test('data of another call are never given', async () => {
  let heard;
  const { clock, exchange } = await world({
    async handler(served) {
      heard = (await served.fetch()).get('account');
      await served.complete({});
    },
  });
  exchange.intercept = (session, message, id) => {
    if (message.kind !== 'DataRequest') return false;
    exchange.intercept = () => false;
    session.send({ kind: 'DataResult', status: 0, serial: '8', fields: { account: 'of another customer' } }, id);
    return true;
  };
  call(exchange, '7');
  await until(clock, () => heard);
  assert.equal(heard, '6222');
  assert.equal(exchange.of('Bind').length, 2, 'such an exchange is left');
});

test('the serial stands behind the separator', () => {
  assert.deepEqual(splitCallingNumber('138**007'), ['138', '007']);
  assert.deepEqual(splitCallingNumber('**7'), ['', '7']);
  assert.deepEqual(splitCallingNumber('138#7', '#'), ['138', '7']);
  for (const none of ['138', '138**', '138**x', `138**${'1'.repeat(21)}`, '1**2**3', '138**\u0661']) {
    assert.deepEqual(splitCallingNumber(none), [none, null]);
  }
});
