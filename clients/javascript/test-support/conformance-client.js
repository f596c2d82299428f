/**
 * The client under test of `ctiex conformance`: acts as its page says, until it is stopped.
 *
 * `CONFORMANCE_ROLE=agent CONFORMANCE_PORT=7300 CONFORMANCE_CODEC=binary node conformance-client.js`, or
 * `ctiex conformance agent --client "node conformance-client.js"`.
 */

import { setTimeout as sleep } from 'node:timers/promises';

import { AgentClient, AutomaticService, BindRefused, CallError, CodecError, LinkError } from '../src/index.js';

const { CONFORMANCE_ROLE: role = 'agent', CONFORMANCE_PORT: port = '7300', CONFORMANCE_CODEC: codec = 'binary' } = process.env;
const AGENT = '1001';
const BEGIN_ANEW = 500;
const account = {
  host: '127.0.0.1',
  port: Number(port),
  codec,
  identity: 'conformance',
  secret: 'conformance',
  answerTimeout: 3_000,
  shortestPause: 50,
  longestPause: 300,
};

/** From one run to the next, as an application would keep them in a file. */
const kept = new Map();
const positions = { load: (agent) => kept.get(agent) ?? null, save: (agent, position) => kept.set(agent, position) };

/** Does what a progress says. */
async function obey(client, serial, fields) {
  if (fields.has('say')) await client.update(serial, { say: fields.get('say') });
  if (fields.has('cancel')) await client.cancel(serial);
}

/** What the exchange or a frame doesn't take changes nothing: the event has come all the same. */
function refused(error) {
  if (!(error instanceof CallError || error instanceof LinkError || error instanceof CodecError)) throw error;
}

/** Hands one customer over, hears the end, and leaves. */
async function handOver() {
  const client = new AgentClient({ ...account, positions });
  try {
    await client.connect();
    const onEvent = ({ serial, fields }) => obey(client, serial, fields).catch(refused);
    await client.login(AGENT, { onEvent });
    const handOff = await client.connectCustomer({
      agent: AGENT,
      service: 'conformance',
      callingNumber: '13800138000',
      reference: 'desk 7',
      fields: { account: '6222 0011' },
    });
    await handOff.result;
  } catch (error) {
    if (!(error instanceof CallError || error instanceof LinkError)) throw error; // it has no result
    if (error instanceof BindRefused) await sleep(BEGIN_ANEW); // a person would mend something meanwhile
  } finally {
    await client.close();
  }
}

/** Serves every customer in the same way. */
async function serve() {
  const service = new AutomaticService({
    ...account,
    accessCodes: ['7000'],
    async handler(call) {
      await call.fetch();
      await call.progress({ step: 1 });
      await call.complete({ result: 'done' });
    },
  });
  await service.start({ timeout: 600_000 });
}

if (role === 'agent') for (;;) await handOver();
else await serve();
