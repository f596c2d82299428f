/**
 * The agent's side: hand a customer over, and hear what becomes of the call; follow the calls of agents, and control them,
 * where the exchange does. Needs nothing of Node where `open` gives a transport.
 */

import { pauseAfter, sleep } from './clock.js';
import { AgentNumber } from './agent-number.js';
import { CALLS, CallMonitoring } from './calls/monitoring.js';
import { entriesOf } from './codec/types.js';
import { ExchangeConnection, TRANSIENT, askUntilAnswered, connectionOptions } from './connection.js';
import { Role, Status } from './codes.js';
import { CallError, LinkLost, NotConnected, RequestTimedOut } from './errors.js';
import { HandOff } from './hand-off.js';

export { Call } from './calls/call.js';
export { MonitoredNumber } from './calls/monitored-number.js';
export { SHOWN } from './calls/told.js';

const AGENT_LOGIN = 0x10;
/** A finished call is known for ten minutes: a repeat after that would make another one. */
const LONGEST_REPEAT = 600_000;
const REQUEST_WITHIN = 30_000;
/** One digit less than those that the exchange allocates, so that none looks like one of them. */
const SERIAL_DIGITS = 19;

/** Keeps positions for as long as the program runs. */
export class MemoryPositions {
  #positions = new Map();

  load(agent) {
    return this.#positions.get(agent) ?? null;
  }

  save(agent, position) {
    this.#positions.set(agent, position);
  }
}

/** A serial of its own for a call: random digits, so that no other program has to be asked. */
export function newSerial() {
  const draws = crypto.getRandomValues(new Uint8Array(64));
  const digits = Array.from(draws)
    .filter((draw) => draw < 250)
    .map((draw) => draw % 10);
  return digits.length < SERIAL_DIGITS ? newSerial() : digits.slice(0, SERIAL_DIGITS).join('');
}

function ignore() {}

export class AgentClient {
  #options;
  #connection;
  #monitoring;
  #agents = new Map();

  /** @param {import('./agent.js').AgentOptions} options see the types, or the README */
  constructor(options) {
    this.#options = {
      positions: new MemoryPositions(),
      newSerial,
      ...connectionOptions(options),
    };
    const owner = {
      prepare: (link) => this.#logAllIn(link),
      notice: (link, message) => this.#told(link, message),
      error: (link, error) => this.#complained(link, error),
      refused: (error) => this.#options.onRefused(error),
      fault: (error) => this.#options.onError(error),
    };
    this.#connection = new ExchangeConnection(this.#options, { role: Role.AGENT, features: CALLS, owner });
    this.#monitoring = new CallMonitoring(this.#connection, this.#options, (call) => this.connectCustomer(call));
  }

  /** Whether there is a link now. */
  get connected() {
    return this.#connection.link !== null;
  }

  /**
   * Connects, and connects again after every loss until `close`. Resolves once the link is bound.
   *
   * @throws {BindRefused} the exchange doesn't let this identity in
   * @throws {RequestTimedOut} it can't be reached in time; nothing more is tried then
   */
  async connect({ timeout = REQUEST_WITHIN } = {}) {
    this.#connection.start();
    try {
      await this.#connection.bound(this.#deadline(timeout));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Says goodbye; what waits for an answer or a result hears NotConnected. */
  async close() {
    const closed = new NotConnected('the client was closed');
    this.#monitoring.endAll(closed);
    for (const agent of this.#agents.values()) agent.finish(closed);
    this.#agents.clear();
    await this.#connection.stop();
  }

  /**
   * Logs an agent number in; it stays so over lost links until `logout`, or until another link takes it over. Resolves with
   * its calls and its state, which are followed where the exchange controls calls.
   *
   * @throws {CallError} the exchange refuses this number
   */
  async login(number, hears = {}) {
    const { timeout = REQUEST_WITHIN, onCall, onState, calls, ...callbacks } = hears;
    if (this.#agents.has(number)) throw new CallError(Status.NOT_ALLOWED_HERE, `agent ${number} is logged in already`);
    const { onError } = this.#options;
    const agent = new AgentNumber(
      { openCalls: (of) => this.openCalls(of), logInAgain: (of, link) => this.#logInAgain(of, link) },
      number,
      { onEvent: ignore, onGap: ignore, onNewEpoch: ignore, onEnd: ignore, ...callbacks, onError },
      this.#options,
    );
    agent.followed = this.#monitoring.own(number, { onCall, onState, calls });
    this.#agents.set(number, agent); // from now on its events find it, and a new link logs it in
    try {
      await this.#loggedIn(agent, this.#deadline(timeout));
    } catch (error) {
      this.#forget(agent, error);
      // Without an answer the exchange may have logged it in, and would send events that nobody takes.
      if (!(error instanceof CallError)) this.#logOut(number, timeout).catch(ignore);
      throw error;
    }
    this.#monitoring.begin(agent.followed);
    return agent.followed;
  }

  /**
   * Follows the calls and the state of a number that this identity acts for, or only supervises, over lost links until
   * `stop` of what this resolves with.
   *
   * @throws {CallError} 62, the exchange has granted no call control; 5, this identity may not see the number
   * @throws {RequestTimedOut} no snapshot came in time
   */
  monitor(number, { timeout = REQUEST_WITHIN, ...hears } = {}) {
    return this.#monitoring.supervise(number, hears, this.#deadline(timeout));
  }

  async #logOut(number, timeout) {
    await this.#connection.link?.ask({ kind: 'AgentLogout', agent: number }, timeout);
  }

  async #loggedIn(agent, deadline) {
    const { clock, random, answerTimeout, shortestPause: shortest, longestPause: longest } = this.#options;
    for (let tries = 0; ; tries += 1) {
      const link = await this.#connection.bound(deadline);
      if (agent.ended) throw agent.ended; // refused when all logged in on a new link
      try {
        if (!agent.isLoggedInOn(link)) await this.#logIn(agent, link, Math.min(answerTimeout, deadline - clock.now()));
        return;
      } catch (error) {
        const again = error instanceof LinkLost || error instanceof RequestTimedOut || TRANSIENT.has(error.status);
        if (!again || clock.now() >= deadline) throw error;
      }
      await sleep(clock, pauseAfter(tries, { shortest, longest, random }));
    }
  }

  /** Its calls are asked for first, so that they are known when it is logged in. */
  #logIn(agent, link, timeout) {
    this.#monitoring.followOwn(agent.followed, link);
    return agent.logIn(link, timeout);
  }

  /** Events wait in the mailbox from now on, until this number logs in again. */
  async logout(number, { timeout = REQUEST_WITHIN } = {}) {
    const agent = this.#agents.get(number);
    if (!agent) return;
    this.#forget(agent, new CallError(Status.AGENT_NOT_LOGGED_IN, `agent ${number} logged out`));
    try {
      await this.#logOut(number, timeout);
    } catch (error) {
      if (!(error instanceof LinkLost)) throw error; // with its link the login is gone
    }
  }

  /**
   * Asks the exchange to connect a customer to a service, and resolves once it keeps the call. With a serial of its own,
   * as by default, the request is repeated until there is an answer: the exchange knows it as the same call.
   *
   * @throws {CallError} the exchange refuses; `status` says why
   * @throws {RequestTimedOut} no answer in time: the exchange may have the call. Asking again under `error.serial` is
   *   the same request; `openCalls` tells, too.
   */
  async connectCustomer(call) {
    const { agent: number, service, callingNumber = '', reference = '' } = call;
    const fields = new Map(entriesOf(call.fields ?? {})); // a copy: each try says the same
    const serial = call.serial ?? this.#options.newSerial();
    const agent = this.#agents.get(number);
    if (!agent) throw new CallError(Status.AGENT_NOT_LOGGED_IN, `agent ${number} is not logged in here`);
    const request = {
      kind: 'ConnectRequest',
      serial,
      agent: number,
      service,
      calling_number: callingNumber,
      reference,
      fields,
    };
    const make = (as) => new HandOff(this, { serial: as, agent: number, reference, onEvent: call.onEvent });
    if (serial === '') {
      return agent.claiming(
        () => this.#kept(request, call),
        (reply) => Object.assign(make(reply.serial), { reply }),
      );
    }
    const handOff = make(serial);
    agent.add(handOff); // before the request goes out: an event may overtake its reply
    try {
      handOff.reply = await this.#kept(request, call);
    } catch (error) {
      agent.remove(handOff);
      throw Object.assign(error, { serial });
    }
    return handOff;
  }

  /** The ConnectReply that says that the exchange has the call. */
  async #kept(request, { timeout = REQUEST_WITHIN }) {
    let sent = 0;
    const reply = await this.#ask(request, Math.min(timeout, LONGEST_REPEAT), {
      repeat: request.serial !== '',
      sends: () => {
        sent += 1;
      },
    });
    // An earlier try was kept, and the call has ended meanwhile; its events tell how.
    const finished = reply.status === Status.ALREADY_FINISHED && sent > 1;
    if (reply.status !== Status.OK && !finished) throw new CallError(reply.status, reply.detail);
    return reply;
  }

  /**
   * Takes a connection back.
   *
   * @throws {CallError} 20 there is no such call, 24 it has finished already
   */
  async cancel(serial, { timeout = REQUEST_WITHIN } = {}) {
    let sent = 0;
    const reply = await this.#ask({ kind: 'CancelRequest', serial }, timeout, {
      sends: () => {
        sent += 1;
      },
    });
    const done = reply.status === Status.ALREADY_FINISHED && sent > 1; // maybe by an earlier try; the events tell
    if (reply.status !== Status.OK && !done) throw new CallError(reply.status, reply.detail);
  }

  /** Puts fields over those of a call; see `HandOff.update`. */
  async update(serial, fields, { timeout = REQUEST_WITHIN } = {}) {
    const reply = await this.#ask({ kind: 'UpdateRequest', serial, fields }, timeout);
    if (reply.status !== Status.OK) throw new CallError(reply.status, reply.detail);
  }

  /**
   * The open hand-offs of an agent number, the oldest first; `complete` is false where not all of them fit a frame.
   *
   * @throws {CallError} this identity may not ask for that number
   */
  async openCalls(agent, { timeout = REQUEST_WITHIN } = {}) {
    const reply = await this.#ask({ kind: 'CallQuery', agent }, timeout);
    const complete = reply.status === Status.OK;
    if (!complete && reply.status !== Status.DATA_TOO_LARGE) throw new CallError(reply.status);
    return { calls: reply.calls.map((call) => ({ ...call, since: new Date(Number(call.since)) })), complete };
  }

  #ask(message, timeout, how = {}) {
    const nextLink = (deadline) => this.#connection.bound(deadline);
    return askUntilAnswered(message, { nextLink, deadline: this.#deadline(timeout), options: this.#options, ...how });
  }

  #deadline(timeout) {
    return this.#options.clock.now() + timeout;
  }

  // ---------------------------------------------------------------- what the connection tells

  #told(link, message) {
    if (message.kind === 'AgentEvent') this.#agents.get(message.agent)?.received(link, message);
    else this.#monitoring.received(link, message);
  }

  /** A new link: every agent number logs in on it before anything else uses it. */
  async #logAllIn(link) {
    for (const agent of [...this.#agents.values()]) {
      if (agent.ended) continue;
      try {
        await this.#logIn(agent, link, this.#options.answerTimeout);
      } catch (error) {
        if (!(error instanceof CallError) || TRANSIENT.has(error.status)) throw error; // this link is no use yet
        this.#lose(agent, error);
      }
    }
    await this.#monitoring.prepare(link);
  }

  /** Events were left out since too many waited; a login brings them. */
  async #logInAgain(agent, link) {
    try {
      await agent.logIn(link, this.#options.answerTimeout);
    } catch (error) {
      link.cut(`agent ${agent.number} could not log in again`); // the next link logs it in
      this.#options.onError(error);
    }
  }

  #complained(link, { status, about, detail }) {
    const agent = about === AGENT_LOGIN && status === Status.SESSION_TAKEN_OVER && this.#agents.get(detail);
    if (!agent) this.#options.onError(new CallError(status, detail));
    else if (agent.isLoggedInOn(link))
      this.#lose(agent, new CallError(status, `another link took agent ${detail} over`));
  }

  #lose(agent, error) {
    this.#agents.delete(agent.number);
    this.#unfollow(agent, error);
    agent.lost(error);
  }

  #forget(agent, error) {
    if (this.#agents.get(agent.number) === agent) this.#agents.delete(agent.number);
    this.#unfollow(agent, error);
    agent.finish(error);
  }

  #unfollow(agent, error) {
    this.#monitoring.leave(agent.followed, this.#options.answerTimeout, error).catch(this.#options.onError);
  }
}
