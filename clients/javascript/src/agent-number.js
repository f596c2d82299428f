/** One agent number that is logged in: its place in the numbering of its events, and its hand-offs. */

import { pauseAfter, sleep } from './clock.js';
import { narrowed } from './codec/bytes.js';
import { Status } from './codes.js';
import { BrokenExchange, CallError } from './errors.js';
import { HandOff, eventOf } from './hand-off.js';

const MOST_WAITING = 10_000;
const MOST_UNCLAIMED = 1_000;
const LOOK_AFTER = 2_000;

/** Where one numbering stands. A new epoch has a new object, so that what belongs to an old one is known as that. */
class Numbering {
  /**
   * @param {bigint} epoch
   * @param {bigint} last the last event before those that come
   */
  constructor(epoch, last) {
    this.epoch = epoch;
    /** The last that has come. */
    this.arrived = last;
    /** The last that the application has taken, and whose position is stored. */
    this.taken = last;
  }
}

/** As the application's store gets it: digits in a text, since both may be beyond what JSON and JavaScript count exactly. */
function positionOf(epoch, sequence) {
  return { epoch: String(epoch), sequence: String(sequence) };
}

export class AgentNumber {
  #client;
  #hears;
  #options;
  #numbering = null;
  #link = null;
  #comingOn = null;
  #early = [];
  #queue = [];
  #pumping = false;
  #leftOut = false;
  #saving = Promise.resolve();
  #handOffs = new Map();
  #withoutSerial = 0;
  #unclaimed = [];
  #end = new AbortController();

  /**
   * @param {object} client what it asks of its AgentClient: `openCalls`, `logInAgain`
   * @param {string} number
   * @param {object} hears the application's callbacks
   * @param {object} options clock, random, positions, pauses
   */
  constructor(client, number, hears, options) {
    this.#client = client;
    this.number = number;
    this.#hears = hears;
    this.#options = options;
    /** Its calls and its state; set by the client. */
    this.followed = null;
    /** Why no more events come; null while they do. */
    this.ended = null;
  }

  /** Whether the exchange sends its events on this link. */
  isLoggedInOn(link) {
    return this.#link === link;
  }

  // ---------------------------------------------------------------- login

  /**
   * Logs in on a link that has just been bound, and goes on behind the last event that was taken.
   *
   * @throws {CallError} the exchange refuses this number
   */
  async logIn(link, timeout) {
    this.#link = null;
    this.#comingOn = link;
    this.#early = [];
    this.#leftOut = false;
    this.#numbering ??= await this.#loaded();
    const [epoch, after] = this.#numbering ? [this.#numbering.epoch, this.#numbering.taken] : [0n, 0n];
    const reply = await link.ask({ kind: 'AgentLogin', agent: this.number, epoch, resume_after: after }, timeout);
    if (reply.status !== Status.OK && reply.status !== Status.NUMBERING_ANEW)
      throw new CallError(reply.status, reply.detail);
    await this.#adopt(reply);
    if (this.#comingOn !== link) return; // another login has begun meanwhile
    this.#link = link;
    this.#comingOn = null;
    this.#acknowledge(); // what was taken before, but whose acknowledgement was lost on its way
    const early = this.#early;
    this.#early = [];
    for (const message of early) {
      // Behind what an earlier login has left out comes its replay.
      if (BigInt(message.sequence) <= this.#numbering.arrived + 1n) this.#arrives(message);
    }
  }

  async #loaded() {
    const kept = await this.#options.positions.load(this.number);
    return kept ? new Numbering(BigInt(kept.epoch), BigInt(kept.sequence)) : null;
  }

  async #adopt(reply) {
    const [epoch, first, last] = [reply.epoch, reply.first_sequence, reply.last_sequence].map(BigInt);
    if (epoch === 0n || first < 1n || first > last + 1n) {
      throw new BrokenExchange(`it says that events ${first} to ${last} of epoch ${epoch} wait`);
    }
    const before = this.#numbering;
    const anew = reply.status === Status.NUMBERING_ANEW || (before && before.epoch !== epoch);
    if (before && !anew) {
      this.#skipTo(first);
      return;
    }
    this.#numbering = new Numbering(epoch, first - 1n);
    await this.#save(this.#numbering, first - 1n).catch((error) => this.#hears.onError(error)); // each event saves it again
    if (!before) return;
    this.#tell('onNewEpoch', {
      agent: this.number,
      epoch: reply.epoch,
      before: positionOf(before.epoch, before.taken),
    });
    this.#settleLost();
  }

  /** Nothing comes any more between the last event that has come and this one. */
  #skipTo(sequence) {
    const first = this.#numbering.arrived + 1n;
    if (sequence <= first) return;
    this.#numbering.arrived = sequence - 1n;
    this.#tell('onGap', { agent: this.number, first: narrowed(first), last: narrowed(sequence - 1n) });
    this.#settleLost();
  }

  /** The application's fault in a callback ends nothing here. */
  #tell(name, told) {
    try {
      this.#hears[name](told);
    } catch (error) {
      this.#hears.onError(error);
    }
  }

  // ---------------------------------------------------------------- events

  /** An event has come, or comes again. */
  received(link, message) {
    if (link === this.#link) this.#arrives(message);
    else if (link === this.#comingOn) this.#early.push(message); // before the reply to the login was handled
  }

  #arrives(message) {
    const sequence = BigInt(message.sequence);
    if (sequence <= this.#numbering.arrived) return; // a repeat
    this.#leftOut ||= this.#queue.length >= MOST_WAITING;
    if (this.#leftOut) return; // it isn't acknowledged, and comes again at another login
    this.#skipTo(sequence);
    this.#numbering.arrived = sequence;
    this.#queue.push({ numbering: this.#numbering, sequence, event: eventOf(message) });
    this.#pump();
  }

  /** Brings the events to the application one after the other. */
  async #pump() {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#queue.length && !this.ended) await this.#bring(this.#queue[0]);
    this.#pumping = false;
    if (this.#leftOut && this.#link && !this.ended) this.#client.logInAgain(this, this.#link);
  }

  async #bring({ numbering, sequence, event }) {
    await this.#untilDone(() => this.#hears.onEvent(event));
    if (this.ended) return;
    // An event of an epoch that is gone has no place in this one; nothing of it is stored or acknowledged.
    await this.#untilDone(() => this.#take(numbering, sequence));
    if (this.ended) return;
    this.#queue.shift();
    if (numbering === this.#numbering) this.#acknowledge();
    this.#deliver(event);
  }

  /** Again with growing pauses while the application, or its store, fails: the order is kept, and nothing is lost. */
  async #untilDone(act) {
    for (let failures = 0; !this.ended; failures += 1) {
      try {
        await act();
        return;
      } catch (error) {
        this.#hears.onError(error);
      }
      const { clock, random, shortestPause: shortest, longestPause: longest } = this.#options;
      await sleep(clock, pauseAfter(failures, { shortest, longest, random }), this.#end.signal);
    }
  }

  /** The position is stored before the event counts as taken, and so before it is acknowledged. */
  async #take(numbering, sequence) {
    if (numbering !== this.#numbering) return;
    await this.#save(numbering, sequence);
    numbering.taken = sequence;
  }

  /** Stores positions one after the other, so that an older one never replaces a newer one. */
  #save(numbering, sequence) {
    const saved = this.#saving.then(() => {
      if (numbering !== this.#numbering) return undefined; // its epoch is gone meanwhile
      return this.#options.positions.save(this.number, positionOf(numbering.epoch, sequence));
    });
    this.#saving = saved.catch(() => {});
    return saved;
  }

  #acknowledge() {
    if (!this.#link || this.#numbering.taken === 0n) return;
    this.#link.notify({ kind: 'AgentEventAck', agent: this.number, sequence: this.#numbering.taken });
  }

  #deliver(event) {
    const handOff = this.#handOffs.get(event.serial);
    if (!handOff) {
      if (this.#withoutSerial) this.#unclaimed.push(event);
      if (this.#unclaimed.length > MOST_UNCLAIMED) this.#unclaimed.shift();
      return;
    }
    if (event.final) this.#handOffs.delete(event.serial);
    handOff.heard(event).catch((error) => this.#hears.onError(error));
  }

  // ---------------------------------------------------------------- hand-offs

  /** From now on this hand-off hears the events under its serial. */
  add(handOff) {
    if (this.#handOffs.has(handOff.serial)) {
      throw new CallError(Status.DUPLICATE_SERIAL, 'a call with this serial goes on');
    }
    if (this.ended) handOff.failed(this.ended);
    else this.#handOffs.set(handOff.serial, handOff);
  }

  remove(handOff) {
    if (this.#handOffs.get(handOff.serial) === handOff) this.#handOffs.delete(handOff.serial);
  }

  /** While a request waits for the serial that the exchange allocates, events are kept whose hand-off isn't known. */
  async claiming(ask, make) {
    this.#withoutSerial += 1;
    try {
      const handOff = make(await ask());
      this.add(handOff);
      const claimed = this.#unclaimed.filter(({ serial }) => serial === handOff.serial);
      this.#unclaimed = this.#unclaimed.filter(({ serial }) => serial !== handOff.serial);
      for (const event of claimed) this.#deliver(event);
      return handOff;
    } finally {
      this.#withoutSerial -= 1;
      if (!this.#withoutSerial) this.#unclaimed = [];
    }
  }

  /**
   * Events are lost: a final one may be among them, and its hand-off would wait for ever. Those whose calls aren't open
   * any more, and of which nothing has come either, end with an error.
   */
  async #settleLost() {
    const { clock } = this.#options;
    const suspects = [...this.#handOffs.values()].filter(({ reply }) => reply);
    if (!suspects.length) return;
    try {
      await sleep(clock, LOOK_AFTER, this.#end.signal); // what is replayed comes first
      const { calls, complete } = await this.#client.openCalls(this.number);
      if (!complete) return;
      const open = new Set(calls.map(({ serial }) => serial));
      do await sleep(clock, LOOK_AFTER, this.#end.signal);
      while (this.#queue.length && !this.ended);
      for (const handOff of suspects.filter(({ serial }) => !open.has(serial))) {
        this.remove(handOff);
        handOff.failed(HandOff.lost(this.number));
      }
    } catch (error) {
      this.#hears.onError(error);
    }
  }

  // ---------------------------------------------------------------- the end

  /** Another link has this number now, or the exchange refuses it: the application hears it. */
  lost(error) {
    if (this.ended) return;
    this.finish(error);
    this.#tell('onEnd', error);
  }

  /** No more events come here. */
  finish(error) {
    if (this.ended) return;
    this.ended = error;
    this.#end.abort();
    this.#link = this.#comingOn = null;
    this.#queue = [];
    for (const handOff of this.#handOffs.values()) handOff.failed(error);
    this.#handOffs.clear();
  }
}
