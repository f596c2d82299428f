/**
 * Many hand-offs from an agent to a service in this process, over an exchange whose links are cut all the time, and that
 * may be killed: `node hand-offs.js AGENT_PORT SERVICE_PORT COUNT`. Says `half` in the middle, and in the end, as one line
 * of JSON, what was lost and what was doubled.
 */

import { connect } from 'node:net';

import { AgentClient, AutomaticService, Condition } from '../src/index.js';
import { TcpTransport } from '../src/transport.js';

const [agentPort, servicePort, count] = process.argv.slice(2).map(Number);
const IN_FLIGHT = 40;
const CUT_EVERY = 150;
const WITHIN = 540_000;
const sockets = new Set();
let cuts = 0;

/** A link that can be cut from here. */
function opens(port) {
  return () =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.removeListener('error', reject);
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
        resolve(new TcpTransport(socket));
      });
    });
}

const pauses = { shortestPause: 20, longestPause: 400, answerTimeout: 5_000 };
const faults = new Map();
const onError = ({ message }) => faults.set(message, (faults.get(message) ?? 0) + 1);
const completed = new Map();
const finals = new Map();
const told = [];
const add = (counts, key) => counts.set(key, (counts.get(key) ?? 0) + 1);

const service = new AutomaticService({
  ...pauses,
  open: opens(servicePort),
  identity: 'ivr',
  secret: 'ivr-secret',
  accessCodes: ['8001'],
  links: 2,
  onError,
  async handler(call) {
    const token = (await call.fetch()).get('token');
    await call.progress({ token });
    await call.complete({ token });
    add(completed, call.serial);
  },
});
const client = new AgentClient({ ...pauses, open: opens(agentPort), identity: 'desk', secret: 'desk-secret', onError });

await Promise.all([service.start({ timeout: WITHIN }), client.connect({ timeout: WITHIN })]);
await client.login('1001', {
  onEvent: (event) => event.final && add(finals, event.serial),
  onGap: () => told.push('a gap'),
  onNewEpoch: () => told.push('a new epoch'),
  onEnd: (error) => told.push(`the end: ${error.message}`),
  timeout: WITHIN,
});

const cutting = setInterval(() => {
  const open = [...sockets];
  open[Math.floor(Math.random() * open.length)]?.destroy();
  cuts += open.length > 0;
}, CUT_EVERY);

const lost = [];
const asked = [];
let begun = 0;
let ended = 0;

async function agentAtWork() {
  while (begun < count) {
    const token = `token ${(begun += 1)}`;
    const handOff = await client.connectCustomer({
      agent: '1001', service: 'quick', callingNumber: '13800138000', reference: token, fields: { token }, timeout: WITHIN,
    });
    asked.push(handOff.serial);
    const { condition, reference, fields } = await handOff.result;
    if (condition !== Condition.COMPLETED || reference !== token || fields.get('token') !== token) {
      lost.push(`${token}: condition ${condition}, reference ${reference}, token ${fields.get('token')}`);
    }
    ended += 1;
    if (ended === count / 2) process.stdout.write('half\n');
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, () => agentAtWork()));
clearInterval(cutting);
await Promise.all([service.stop(), client.close()]);
const more = (counts) => asked.filter((serial) => counts.get(serial) > 1);
const none = (counts) => asked.filter((serial) => !counts.get(serial));
process.stdout.write(
  `${JSON.stringify({
    asked: new Set(asked).size,
    cuts,
    lost: [...lost, ...none(finals), ...none(completed)],
    doubled: [...more(finals), ...more(completed)],
    told,
    faults: Object.fromEntries(faults),
  })}\n`,
);
