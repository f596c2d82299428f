/**
 * One client's end of a link, without I/O: bytes in, messages to a handler, frames out.
 *
 * The rules of the wire stand here: what may come in which role, what Error answers, what ends the link, signs of life,
 * replies matched with requests, how many requests may be under way. Feed it with `receive` and `tick`, write what
 * `takeOutput` gives after each call, and close the link once `ended` is set.
 */

import { Status, statusOf } from './codes.js';
import { CallError, CodecError, LinkLost, RequestTimedOut } from './errors.js';
import { DEFAULT_MAX_FRAME, Form, MESSAGE_OF_CODE, MESSAGE_OF_NAME, mayCome, replyTo } from './codec/messages.js';

const DEFAULT_HEARTBEAT = 30_000;
const DEFAULT_MAX_IN_FLIGHT = 1_024;
const LEAVE_WITHIN = 5_000;
const MOST_PINGS = 2;
const MOST_DETAIL = 200;
const LEAST_MAX_FRAME = 1_024;
const MOST_MAX_FRAME = 16_777_216;
const MOST_INVOKE_ID = 0xffff_ffff;
/** The exchange pings after one heartbeat of silence; this side waits a little longer, so that only one of them asks. */
const PATIENCE = 1.25;
/** These don't count as requests in flight. */
const UNCOUNTED = new Set(['Bind', 'Ping', 'Unbind']);

export class Session {
  #codec;
  #decoder;
  #handler;
  #role;
  #now;
  #output = [];
  #pending = new Map();
  #held = [];
  #inFlight = 0;
  #lastInvokeId = 0;
  #unanswered = new Set();
  #pings = 0;
  #silentSince;
  #leaveBy = Infinity;
  #unbindId = null;
  #firstDeadline = Infinity;
  #features = new Set();

  /**
   * @param {object} options
   * @param {object} options.codec
   * @param {number} options.role 1 agent, 2 automatic service
   * @param {{request?: Function, notice?: Function, error?: Function}} options.handler hears what the exchange asks
   *   (`request(message, invokeId)`, to be answered by `reply`), tells (`notice(message)`), and complains of
   *   (`error(message)`)
   * @param {number} options.now the clock's milliseconds
   */
  constructor({ codec, role, handler, now }) {
    this.#codec = codec;
    this.#decoder = codec.decoder(DEFAULT_MAX_FRAME);
    this.#role = role;
    this.#handler = handler;
    this.#now = now;
    this.#silentSince = now;
    /** Why the link is over; null while it isn't. */
    this.ended = null;
    /** Whether a BindReply of status 0 has come. */
    this.bound = false;
    /** Whether one of both sides is about to close the link: nothing new is asked then. */
    this.leaving = false;
    this.maxFrame = DEFAULT_MAX_FRAME;
    /** How many requests may wait for their replies. */
    this.maxInFlight = Infinity;
    this.heartbeat = DEFAULT_HEARTBEAT;
  }

  // ---------------------------------------------------------------- what this side says

  /** Opens the session. `answered(error, reply)` hears the BindReply, whatever its status. */
  bind(message, answered, deadline = Infinity) {
    this.#ask({ kind: 'Bind', ...message }, answered, deadline);
  }

  /**
   * Asks something; while as many requests wait as may, it is held back. `answered(error, reply)` is called once: with
   * the request's own reply, or with a CallError (the exchange answered Error), LinkLost, RequestTimedOut or CodecError
   * (no frame takes it).
   */
  request(message, answered, deadline = Infinity) {
    if (this.ended || this.leaving) {
      answered(new LinkLost(this.ended ?? 'the link is about to end', false));
      return;
    }
    this.#held.push({ message, answered, deadline });
    this.#firstDeadline = Math.min(this.#firstDeadline, deadline);
    this.#sendHeld();
  }

  /** Answers a request of the exchange; an answer that no frame takes is a CodecError, and the request stays open. */
  reply(message, invokeId) {
    if (this.ended) return;
    this.#send(message, invokeId);
    this.#unanswered.delete(invokeId);
    this.#leaveWhenAnswered();
  }

  /** Tells the exchange what it doesn't answer. */
  notify(message) {
    if (!this.ended && !this.leaving) this.#send(message, 0);
  }

  /** Says goodbye: the link ends with the answer, or after five seconds. */
  unbind(status = Status.OK, detail = '') {
    if (this.ended || this.leaving) return;
    if (!this.bound) {
      this.end('closed by this side');
      return;
    }
    this.#ask({ kind: 'Unbind', status, detail }, () => this.end('closed by this side'), Infinity);
    this.#leave();
  }

  /** Ends the link; what is in the output may still be written. */
  end(reason) {
    this.ended ??= reason;
  }

  /** The link is gone: all who wait for an answer hear it. */
  lost(reason) {
    this.end(reason);
    const waiting = [...this.#pending.values()].filter((pending) => pending.answered);
    const held = this.#held;
    this.#pending.clear();
    this.#held = [];
    for (const { answered } of waiting) answered(new LinkLost(this.ended));
    for (const { answered } of held) answered(new LinkLost(this.ended, false));
  }

  /** The frames to write, in order; each is given once. */
  takeOutput() {
    const output = this.#output;
    this.#output = [];
    return output;
  }

  // ---------------------------------------------------------------- time

  /** When `tick` has something to do next, on the clock. */
  get nextTick() {
    const sign = this.bound ? this.#signDue : Infinity;
    return this.ended ? Infinity : Math.min(sign, this.#leaveBy, this.#firstDeadline);
  }

  get #signDue() {
    return this.#silentSince + this.heartbeat * PATIENCE;
  }

  /** Looks at everything that has its time; call it at `nextTick` or later. */
  tick(now) {
    this.#now = now;
    if (this.ended) return;
    this.#timeOut();
    if (now >= this.#leaveBy) this.end('the other side did not close the link in time');
    else if (this.bound && now >= this.#signDue) this.#ping();
  }

  #ping() {
    if (this.#pings === MOST_PINGS) {
      this.end('two pings were not answered');
      return;
    }
    this.#pings += 1;
    this.#silentSince = this.#now; // from now, so that a clock that was held up leaves the other side its time
    this.#send({ kind: 'Ping' }, this.#newInvokeId()); // any byte is life: the Pong itself isn't waited for
  }

  #timeOut() {
    if (this.#now < this.#firstDeadline) return;
    const late = [];
    for (const pending of this.#pending.values()) {
      if (pending.answered && pending.deadline <= this.#now) {
        late.push(pending.answered);
        pending.answered = null; // it stays in flight: the exchange still counts it
      }
    }
    const held = this.#held.filter(({ deadline }) => deadline <= this.#now);
    this.#held = this.#held.filter(({ deadline }) => deadline > this.#now);
    const waiting = [...this.#pending.values()].filter(({ answered }) => answered);
    this.#firstDeadline = Math.min(Infinity, ...[...waiting, ...this.#held].map(({ deadline }) => deadline));
    for (const answered of [...late, ...held.map((one) => one.answered)]) {
      answered(new RequestTimedOut('the exchange did not answer in time'));
    }
  }

  // ---------------------------------------------------------------- what comes in

  /** Takes bytes off the wire, and handles every frame that is complete. */
  receive(bytes, now) {
    this.#now = now;
    if (this.ended) return;
    this.#silentSince = now;
    this.#pings = 0;
    this.#decoder.receive(bytes);
    try {
      for (let frame = this.#decoder.next(); frame && !this.ended; frame = this.#decoder.next()) this.#received(frame);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.#complain(0, 0, error);
      this.end(error.message);
    }
  }

  #received(frame) {
    const declared = MESSAGE_OF_CODE.get(frame.code);
    if (declared?.form === Form.ERROR) this.#errorReceived(frame);
    else if (frame.fault) this.#malformed(frame, declared, frame.fault);
    else if (!declared || !mayCome(declared, this.#role, this.#features)) {
      this.#complain(
        frame.invokeId,
        frame.code,
        new CodecError(`${declared?.name ?? 'this kind'} is not for this link`, Status.NOT_ALLOWED_HERE),
      );
    } else this.#allowed(frame, declared);
  }

  #allowed(frame, declared) {
    const message = this.#decoded(frame);
    if (message instanceof CodecError) {
      this.#malformed(frame, declared, message);
    } else if (declared.form === Form.REPLY) {
      this.#answer(frame.invokeId, declared.name, null, message);
    } else if ((frame.invokeId === 0) !== (declared.form === Form.NOTICE) && declared.name !== 'Unbind') {
      this.#complain(
        frame.invokeId,
        frame.code,
        new CodecError(`${declared.name} does not come under invoke id ${frame.invokeId}`),
      );
    } else {
      this.#dispatch(message, frame.invokeId);
    }
  }

  /** The message of a frame, or what is wrong with it. */
  #decoded(frame) {
    try {
      return this.#codec.decode(frame).message;
    } catch (error) {
      if (error instanceof CodecError) return error;
      throw error;
    }
  }

  /** What can't be read is complained of; the request that it would have answered is refused by that. */
  #malformed(frame, declared, fault) {
    this.#complain(frame.invokeId, frame.code, fault);
    if (declared?.form === Form.REPLY && fault.status === Status.MALFORMED) {
      this.#answer(frame.invokeId, declared.name, new CallError(Status.MALFORMED, `a malformed ${declared.name} came`));
    }
  }

  #errorReceived(frame) {
    const message = this.#decoded(frame);
    if (message instanceof CodecError) return; // never answered, and means nothing
    const pending = this.#pending.get(frame.invokeId);
    const request = pending && MESSAGE_OF_NAME.get(pending.kind);
    if (request && request.code === message.about) {
      this.#answer(frame.invokeId, pending.reply, new CallError(message.status, message.detail));
    } else {
      this.#handler.error?.({ ...message, status: statusOf(message.status) });
    }
  }

  #dispatch(message, invokeId) {
    if (message.kind === 'Ping') {
      this.#send({ kind: 'Pong' }, invokeId);
    } else if (message.kind === 'Unbind') {
      this.#unbindId = invokeId;
      this.#leave();
      this.#leaveWhenAnswered();
    } else if (invokeId === 0) {
      this.#handler.notice?.(message);
    } else {
      this.#unanswered.add(invokeId);
      this.#handler.request?.(message, invokeId);
    }
  }

  /** Ends the request under this id if it is this reply that it waits for; whatever nobody waits for is ignored. */
  #answer(invokeId, reply, error, message) {
    const pending = this.#pending.get(invokeId);
    if (pending?.reply !== reply) return;
    this.#pending.delete(invokeId);
    if (!UNCOUNTED.has(pending.kind)) this.#inFlight -= 1;
    if (message?.kind === 'BindReply' && message.status === Status.OK) this.#agree(message);
    pending.answered?.(error, message);
    this.#sendHeld();
  }

  /** What the BindReply says holds from now on; 0 says nothing. */
  #agree({ max_frame, max_in_flight: maxInFlight, heartbeat_s: heartbeat, features }) {
    const maxFrame = max_frame || DEFAULT_MAX_FRAME;
    if (maxFrame < LEAST_MAX_FRAME || maxFrame > MOST_MAX_FRAME) {
      this.end(`the exchange says a max_frame of ${maxFrame}`);
      return;
    }
    this.bound = true;
    this.#features = new Set(features.split(' '));
    this.maxFrame = this.#decoder.maxFrame = maxFrame;
    this.maxInFlight = maxInFlight || DEFAULT_MAX_IN_FLIGHT;
    this.heartbeat = heartbeat * 1_000 || DEFAULT_HEARTBEAT;
  }

  // ---------------------------------------------------------------- what goes out

  #sendHeld() {
    while (this.bound && !this.ended && this.#held.length && this.#inFlight < this.maxInFlight) {
      const { message, answered, deadline } = this.#held.shift();
      this.#ask(message, answered, deadline);
    }
  }

  #ask(message, answered, deadline) {
    const invokeId = this.#newInvokeId();
    try {
      this.#send(message, invokeId);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      answered(error);
      return;
    }
    if (!UNCOUNTED.has(message.kind)) this.#inFlight += 1;
    this.#pending.set(invokeId, { kind: message.kind, reply: replyTo(message.kind), answered, deadline });
    this.#firstDeadline = Math.min(this.#firstDeadline, deadline);
  }

  #send(message, invokeId) {
    const frame = this.#codec.encode(message, invokeId);
    const length = this.#codec.lengthOf(frame);
    if (length > this.maxFrame) {
      throw new CodecError(`${message.kind} of length ${length}: the limit is ${this.maxFrame}`, Status.TOO_LONG);
    }
    this.#output.push(frame);
  }

  #complain(invokeId, about, fault) {
    this.#send({ kind: 'Error', status: fault.status, about, detail: fault.message.slice(0, MOST_DETAIL) }, invokeId);
  }

  #newInvokeId() {
    do this.#lastInvokeId = this.#lastInvokeId === MOST_INVOKE_ID ? 1 : this.#lastInvokeId + 1;
    while (this.#pending.has(this.#lastInvokeId));
    return this.#lastInvokeId;
  }

  // ---------------------------------------------------------------- the end

  /** Nothing new is asked from now on; what was held back never went out, and can be asked on another link. */
  #leave() {
    this.leaving = true;
    this.#leaveBy = this.#now + LEAVE_WITHIN;
    const held = this.#held;
    this.#held = [];
    for (const { answered } of held) answered(new LinkLost('the link is about to end', false));
  }

  #leaveWhenAnswered() {
    if (this.#unbindId === null || this.#unanswered.size) return;
    this.#send({ kind: 'UnbindReply' }, this.#unbindId);
    this.#unbindId = null;
  }
}
