/**
 * Against a real exchange with its built-in identities and services, where one is named:
 * `CTIEX_AGENT_LINK=127.0.0.1:7300 CTIEX_IVR_LINK=127.0.0.1:7301 node --test clients/javascript/test/exchange.test.js`.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AgentClient, AutomaticService, Condition, Decimal } from '../src/index.js';

const { CTIEX_AGENT_LINK: AGENT_LINK, CTIEX_IVR_LINK: IVR_LINK } = process.env;
const skip = AGENT_LINK && IVR_LINK ? false : 'no exchange is named';
const NUMBER = String(Date.now()).slice(-9); // no other run has used it
const FIELDS = {
  text: 'naïve ☎',
  integer: -7,
  large: 2n ** 62n,
  boolean: true,
  bytes: Uint8Array.of(0, 255),
  decimal: new Decimal('012.50'),
  time: new Date('2026-11-26T18:00:00.123Z'),
};

function at(link) {
  const [host, port] = link.split(':');
  return { host, port: Number(port) };
}

for (const codec of ['binary', 'json']) {
  test(`a customer is handed over to a service and comes back, corrected in the middle (${codec})`, { skip }, async () => {
    const corrected = withResolvers();
    const service = new AutomaticService({
      ...at(IVR_LINK), codec, identity: 'service-demo', secret: 'demo', accessCodes: ['7002'],
      async handler(call) {
        assert.deepEqual(Object.fromEntries(await call.fetch()), FIELDS);
        const changed = new Promise((resolve) => call.onDataChanged(resolve));
        await call.progress({ step: 1 });
        await changed;
        await call.complete(await call.fetch());
      },
      onError: corrected.reject,
    });
    const client = new AgentClient({ ...at(AGENT_LINK), codec, identity: 'agent-demo', secret: 'demo' });
    await Promise.all([service.start(), client.connect()]);
    await client.login(NUMBER);
    const onEvent = (event) => event.fields.has('step') && corrected.resolve();
    const handOff = await client.connectCustomer({
      agent: NUMBER, service: 'bill-broadcast', callingNumber: '13800138000', reference: 'desk 7', fields: FIELDS, onEvent,
    });
    await corrected.promise;
    assert.deepEqual((await client.openCalls(NUMBER)).calls.map(({ serial }) => serial), [handOff.serial]);
    await handOff.update({ text: 'corrected' });
    const result = await handOff.result;
    assert.equal(result.condition, Condition.COMPLETED);
    assert.equal(result.reference, 'desk 7');
    assert.deepEqual(Object.fromEntries(result.fields), { ...FIELDS, text: 'corrected' });
    await assert.rejects(handOff.cancel(), { status: 24 });
    await assert.rejects(client.connectCustomer({ agent: NUMBER, service: 'no-service' }), { status: 30 });
    await Promise.all([service.stop(), client.close()]);
  });
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}
