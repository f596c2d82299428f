/** The binary codec: frames with a length in front. */

import { Status } from '../codes.js';
import { CodecError } from '../errors.js';
import { ByteQueue, ByteReader, ByteWriter } from './bytes.js';
import { checkExtensions, checkInvokeId, completed, declarationOf, about, writeBody } from './bodies.js';
import { DEFAULT_MAX_FRAME, MESSAGE_OF_CODE, VERSION, isOfCalls } from './messages.js';

const LENGTH_SIZE = 4;
const HEADER_SIZE = 12;
const LEAST_LENGTH = HEADER_SIZE - LENGTH_SIZE;
const EXTENDED = 1;

export class BinaryCodec {
  name = 'binary';

  /** Finds the frames in one direction of one link. */
  decoder(maxFrame = DEFAULT_MAX_FRAME) {
    return new BinaryDecoder(maxFrame);
  }

  /**
   * The message of a frame, and the extensions behind it.
   *
   * @throws {CodecError} the frame breaks the format
   */
  decode(frame) {
    if (frame.fault) throw frame.fault;
    const declared = MESSAGE_OF_CODE.get(frame.code);
    if (!declared) throw unknownKind(); // one of call control that isn't assigned: the session refuses it before
    const reader = new ByteReader(frame.body);
    const message = { kind: declared.name };
    for (const [name, type] of declared.attributes) {
      message[name] = about(declared, name, () => type.read(reader));
    }
    const extensions = frame.extended ? readExtensions(reader) : [];
    reader.end();
    return { message, extensions };
  }

  /**
   * A message as one whole frame.
   *
   * @throws {CodecError} the message breaks a limit of its layout
   */
  encode(message, invokeId = 0, extensions = []) {
    const declared = declarationOf(message);
    const writer = new ByteWriter();
    writer.u32(0); // the length, once it is known
    writer.u8(VERSION);
    writer.u8(declared.code);
    writer.u16(extensions.length ? EXTENDED : 0);
    writer.u32(checkInvokeId(invokeId));
    writeBody(writer, declared, completed(declared, message));
    if (extensions.length) writeExtensions(writer, extensions);
    const frame = writer.take();
    new DataView(frame.buffer).setUint32(0, frame.length - LENGTH_SIZE);
    return frame;
  }

  /** What the limit of a link counts of a whole frame, in bytes. */
  lengthOf(frame) {
    return frame.length - LENGTH_SIZE;
  }
}

function readExtensions(reader) {
  const extensions = [];
  for (let count = reader.u8(); count > 0; count -= 1) {
    extensions.push({ type: reader.u16(), value: reader.bytes(reader.u16()) });
  }
  return extensions;
}

function writeExtensions(writer, extensions) {
  writer.u8(checkExtensions(extensions).length);
  for (const { type, value } of extensions) {
    writer.u16(type);
    writer.u16(value.length);
    writer.bytes(value);
  }
}

class BinaryDecoder {
  #queue = new ByteQueue();
  #failure = null;

  constructor(maxFrame) {
    /** The limit on the value of a frame's length, in bytes; it may be set between two frames. */
    this.maxFrame = maxFrame;
  }

  /** Takes more bytes off the wire, however they are split. */
  receive(bytes) {
    if (!this.#failure) this.#queue.push(bytes);
  }

  /**
   * The next complete frame, or null where more bytes are needed.
   *
   * @throws {CodecError} what ends the link: a length or a version. Every later call throws it again.
   */
  next() {
    if (this.#failure) throw this.#failure;
    const waiting = this.#queue.waiting;
    this.#checkStart(waiting);
    if (waiting.length < HEADER_SIZE) return null;
    const view = new DataView(waiting.buffer, waiting.byteOffset, waiting.byteLength);
    const size = LENGTH_SIZE + view.getUint32(0);
    if (waiting.length < size) return null;
    const [code, flags, invokeId] = [view.getUint8(5), view.getUint16(6), view.getUint32(8)];
    const body = this.#queue.take(size).subarray(HEADER_SIZE);
    return { code, invokeId, body, extended: flags === EXTENDED, fault: faultOf(flags, code) };
  }

  /** Judges as much of a header as there is, so that a wrong one isn't waited for. */
  #checkStart(waiting) {
    if (waiting.length < LENGTH_SIZE) return;
    const length = new DataView(waiting.buffer, waiting.byteOffset).getUint32(0);
    const version = waiting[LENGTH_SIZE];
    if (length > this.maxFrame) {
      this.#fail(`a frame of length ${length}: the limit is ${this.maxFrame}`, Status.TOO_LONG);
    }
    if (length < LEAST_LENGTH)
      this.#fail(`a frame of length ${length}: the minimum is ${LEAST_LENGTH}`, Status.MALFORMED);
    if (version !== undefined && version !== VERSION) {
      this.#fail(`version ${version}: only ${VERSION} is supported`, Status.UNSUPPORTED_VERSION);
    }
  }

  #fail(text, status) {
    this.#failure = new CodecError(text, status);
    this.#queue.clear();
    throw this.#failure;
  }
}

function faultOf(flags, code) {
  if (flags !== 0 && flags !== EXTENDED) return new CodecError(`flags other than 0 and ${EXTENDED}`);
  return MESSAGE_OF_CODE.has(code) || isOfCalls(code) ? null : unknownKind();
}

function unknownKind() {
  return new CodecError('a kind that this version has not', Status.UNKNOWN_KIND);
}
