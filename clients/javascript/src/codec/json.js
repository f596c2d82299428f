/** The JSON codec: the same messages, one object a line. */

import { Status } from '../codes.js';
import { CodecError } from '../errors.js';
import { ByteQueue, fromBase64, toBase64, utf8Bytes, utf8Text } from './bytes.js';
import { about, check, checkExtensions, checkInvokeId, completed, declarationOf } from './bodies.js';
import { DEFAULT_MAX_FRAME, MESSAGE_OF_CODE, MESSAGE_OF_NAME } from './messages.js';
import { Doubled, parseJson } from './strict-json.js';
import { integerOfJson } from './values.js';

const LINE_FEED = 10;
const NO_KIND = 0;

export class JsonCodec {
  name = 'json';

  /** Finds the lines in one direction of one link. */
  decoder(maxFrame = DEFAULT_MAX_FRAME) {
    return new JsonDecoder(maxFrame);
  }

  /**
   * The message of a frame, and the extensions beside it.
   *
   * @throws {CodecError} the frame breaks the format
   */
  decode(frame) {
    if (frame.fault) throw frame.fault;
    const declared = MESSAGE_OF_CODE.get(frame.code);
    const given = {};
    for (const [name, type] of declared.attributes) {
      if (frame.body.has(name)) given[name] = about(declared, name, () => type.fromJson(frame.body.get(name)));
    }
    const known = new Set(['kind', 'id', 'ext', ...declared.attributes.map(([name]) => name)]);
    for (const key of frame.body.keys()) {
      if (!known.has(key)) throw new CodecError(`${declared.name}: an unknown key`);
    }
    const message = completed(declared, given);
    check(declared, message); // whatever the binary codec forbids is forbidden here
    return { message, extensions: frame.body.has('ext') ? readExtensions(frame.body.get('ext')) : [] };
  }

  /**
   * A message as one whole line.
   *
   * @throws {CodecError} the message breaks a limit of its layout
   */
  encode(message, invokeId = 0, extensions = []) {
    const declared = declarationOf(message);
    const complete = completed(declared, message);
    check(declared, complete);
    const members = [`"kind":"${declared.name}"`, `"id":${checkInvokeId(invokeId)}`];
    if (extensions.length) members.push(`"ext":${writtenExtensions(extensions)}`);
    for (const [name, type] of declared.attributes) members.push(`"${name}":${type.toJson(complete[name])}`);
    return utf8Bytes(`{${members.join(',')}}\n`);
  }

  /** What the limit of a link counts of a whole line: all before its line feed. */
  lengthOf(line) {
    return line.length - 1;
  }
}

function readExtensions(json) {
  if (!Array.isArray(json)) throw new CodecError('extensions are a list');
  const extensions = json.map((pair) => {
    if (!Array.isArray(pair) || pair.length !== 2) throw new CodecError('an extension is a type and base64');
    return { type: integerOfJson(pair[0]), value: fromBase64(pair[1]) };
  });
  return checkExtensions(extensions);
}

function writtenExtensions(extensions) {
  return `[${checkExtensions(extensions)
    .map(({ type, value }) => `[${type},"${toBase64(value)}"]`)
    .join(',')}]`;
}

class JsonDecoder {
  #queue = new ByteQueue();
  #searched = 0;
  #failure = null;

  constructor(maxFrame) {
    /** The limit on a line's length, in bytes; it may be set between two lines. */
    this.maxFrame = maxFrame;
  }

  /** Takes more bytes off the wire, however they are split. */
  receive(bytes) {
    if (!this.#failure) this.#queue.push(bytes);
  }

  /**
   * The next complete line as a frame, or null where more bytes are needed.
   *
   * @throws {CodecError} what ends the link: a line over the limit. Every later call throws it again.
   */
  next() {
    if (this.#failure) throw this.#failure;
    const waiting = this.#queue.waiting;
    const end = waiting.indexOf(LINE_FEED, this.#searched);
    this.#searched = end < 0 ? waiting.length : 0;
    if ((end < 0 ? waiting.length : end) > this.maxFrame) {
      this.#failure = new CodecError(`a line over ${this.maxFrame} bytes`, Status.TOO_LONG);
      this.#queue.clear();
      throw this.#failure;
    }
    return end < 0 ? null : frameOf(this.#queue.take(end, 1));
  }
}

/** The frame of one line. What is wrong with it is its fault, told under its id if that is there. */
function frameOf(line) {
  try {
    const body = objectOf(line);
    return body instanceof Doubled ? doubledFrame(judged(body.once)) : judged(body);
  } catch (error) {
    if (error instanceof CodecError) return faulty(0, error);
    throw error;
  }
}

function objectOf(line) {
  const body = parseJson(utf8Text(line));
  if (!(body instanceof Map || body instanceof Doubled)) throw new CodecError('a line is one JSON object');
  return body;
}

function judged(body) {
  const invokeId = checkInvokeId(integerOfJson(body.get('id') ?? (body.has('id') ? null : 0)));
  const name = body.get('kind');
  if (typeof name !== 'string') return faulty(invokeId, new CodecError('a line needs a kind'));
  const declared = MESSAGE_OF_NAME.get(name);
  if (!declared) return faulty(invokeId, new CodecError('a kind that this version has not', Status.UNKNOWN_KIND));
  return { code: declared.code, invokeId, body, fault: null };
}

/** A line with doubled keys is told about its kind, under its id, where these stand in it once. */
function doubledFrame({ code, invokeId }) {
  const fault = new CodecError('a key that stands in a line twice');
  return { code: invokeId ? code : NO_KIND, invokeId, body: null, fault };
}

function faulty(invokeId, fault) {
  return { code: NO_KIND, invokeId, body: null, fault };
}
