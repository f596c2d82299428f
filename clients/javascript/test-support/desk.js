/**
 * The desks of two agents, and a service, at a real exchange: `node desk.js AGENT_PORT SERVICE_PORT`. Says by a line what
 * has to happen at the telephones, waits for a line where it can't see that it has, and says in the end, as one line of
 * JSON, what it has found.
 */

import { connect } from 'node:net';
import { createInterface } from 'node:readline';

import { Action, AgentClient, AgentStateCode, AutomaticService, CallChange, ConnectionState, Decimal } from '../src/index.js';
import { TcpTransport } from '../src/transport.js';

const [agentPort, servicePort] = process.argv.slice(2).map(Number);
const { ALERTING, ESTABLISHED, HELD, RETRIEVED, TRANSFERRED, CLEARED } = CallChange;
const found = { errors: [] };
const onError = (error) => found.errors.push(String(error));
let socket = null;

/** A link that can be left unread, and cut, from here. */
function open() {
  return new Promise((resolve, reject) => {
    socket = connect({ host: '127.0.0.1', port: agentPort });
    socket.once('error', reject);
    socket.once('connect', () => resolve(new TcpTransport(socket)));
  });
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (line) => process.stdout.write(`${line}\n`);
const told = () => lines.next();

/** Waits for a change of any call of an agent, and gives the call. */
class Desk {
  #waiting = [];

  onCall = (call, change) => {
    this.changes.push([call.id, change.eventText]);
    this.#waiting = this.#waiting.filter(({ event, resolve }) => event !== change.event || resolve(call));
  };

  changes = [];

  next(event) {
    return new Promise((resolve) => {
      this.#waiting.push({ event, resolve });
    });
  }
}

const client = new AgentClient({ open, identity: 'desk', secret: 'desk-secret', shortestPause: 20, onError });
const service = new AutomaticService({
  host: '127.0.0.1', port: servicePort, identity: 'ivr', secret: 'ivr-secret', accessCodes: ['8001'], onError,
  handler: async (call) => call.complete(await call.fetch()),
});
await Promise.all([client.connect(), service.start()]);
const [one, other] = [new Desk(), new Desk()];
const first = await client.login('1001', one);
const second = await client.login('1002', other);
await first.setState(AgentStateCode.READY);
await first.untilState(AgentStateCode.READY);

// A customer rings, is answered, held, retrieved, and handed over to a service.
const ringing = one.next(ALERTING);
say('ring');
const call = await ringing;
found.rings = [call.customer.number, call.allows(Action.ANSWER), call.allows(Action.HOLD), first.state.state];
await call.answer();
await call.until(ESTABLISHED);
await call.hold();
await call.until(HELD);
found.held = [call.state, call.allows(Action.RETRIEVE)];
await call.retrieve();
await call.until(RETRIEVED);
await call.update({ account: '6222', owed: new Decimal('12.50') });
const handOff = await call.connect('bill', { fields: { account: '6222' } });
found.handOff = [handOff.serial === call.serial, (await handOff.result).fields.get('account')];
found.refused = await call.retrieve().catch(({ status }) => status);

// A colleague is consulted about it, picks up the phone, and gets the customer with all data.
const consulted = other.next(ALERTING);
const consultation = await call.consult('1002', { why: 'bill' });
found.consultation = [consultation.related === call.id, consultation.id !== call.id];
found.rung = (await consulted).data.get('why');
say('pick up');
await consultation.until(ESTABLISHED);
await consultation.transfer();
await call.until(TRANSFERRED);
found.transferred = [call.over, await seen(() => [...second.calls.keys()].join() === call.id && !first.calls.size)];
const taken = second.calls.get(call.id);
found.data = [taken.data.get('account'), String(taken.data.get('owed')), taken.data.get('why'), taken.customer.number];

// Another customer talks with the first agent. An order is given whose answer is never read, and the link is lost;
// meanwhile the colleague's customer has hung up.
const again = one.next(ALERTING);
say('ring');
const lost = await again;
await lost.answer();
await lost.until(ESTABLISHED);
socket.pause();
const holding = lost.hold();
say('hang up');
await told();
one.changes.length = other.changes.length = 0;
const stale = [lost.state, [...second.calls.keys()].length];
socket.destroy();
found.lost = await holding.catch(({ name }) => name);
found.stale = stale;
await seen(() => first.upToDate && second.upToDate);
found.snapshot = [lost.state === ConnectionState.HELD, taken.over, second.calls.size, [...one.changes], [...other.changes]];
found.same = first.calls.get(lost.id) === lost;
await lost.retrieve();
await lost.until(RETRIEVED);
await first.setState(AgentStateCode.NOT_READY, { reason: 'lunch' });
await seen(() => first.state.pendingState === AgentStateCode.NOT_READY);
await lost.clear();
await lost.until(CLEARED);
found.state = (await first.untilState(AgentStateCode.NOT_READY)).reason;
await Promise.all([service.stop(), client.close()]);
say(JSON.stringify(found));
process.stdin.destroy();

/** Waits until something is so. */
async function seen(look) {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 10));
  return true;
}
