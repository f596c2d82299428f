/** Bytes in and out: big-endian numbers, strict UTF-8, base64. For Node and browsers alike, so nothing of Buffer. */

import { CodecError } from '../errors.js';

// Without ignoreBOM a mark at the start of a text would be swallowed, and the text be another one.
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();
const LONE_SURROGATE = /\p{Surrogate}/u;
const MOST_IDLE = 4096;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** @returns {string} the text of these bytes */
export function utf8Text(bytes) {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new CodecError('text that is no UTF-8');
  }
}

/** @returns {Uint8Array} the bytes of a text */
export function utf8Bytes(text) {
  // TextEncoder would write U+FFFD in its place, and so change the text in silence.
  if (LONE_SURROGATE.test(text)) throw new CodecError('half a surrogate pair is no text');
  return ENCODER.encode(text);
}

export function toBase64(bytes) {
  let binary = '';
  for (let at = 0; at < bytes.length; at += 0x2000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x2000));
  }
  return btoa(binary);
}

export function fromBase64(text) {
  // atob also takes spaces, missing padding, and a last letter with bits of no byte.
  if (typeof text !== 'string' || !BASE64.test(text)) throw new CodecError('text that is no base64');
  const binary = atob(text);
  if (btoa(binary) !== text) throw new CodecError('base64 with other last bits than its bytes need');
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** An integer as a Number while that is exact, else as a BigInt. */
export function narrowed(integer) {
  return Number.MIN_SAFE_INTEGER <= integer && integer <= Number.MAX_SAFE_INTEGER ? Number(integer) : integer;
}

/** Reads one body from its start to its end. */
export class ByteReader {
  #bytes;
  #view;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** How many bytes are left. */
  get left() {
    return this.#bytes.length - this.#at;
  }

  #forward(size) {
    if (size > this.left) throw new CodecError('the body ends too early');
    const at = this.#at;
    this.#at += size;
    return at;
  }

  u8() {
    return this.#view.getUint8(this.#forward(1));
  }

  u16() {
    return this.#view.getUint16(this.#forward(2));
  }

  u32() {
    return this.#view.getUint32(this.#forward(4));
  }

  u64() {
    return narrowed(this.#view.getBigUint64(this.#forward(8)));
  }

  i64() {
    return narrowed(this.#view.getBigInt64(this.#forward(8)));
  }

  /** The next bytes, as a copy: they outlive what was read off the wire. */
  bytes(size) {
    const at = this.#forward(size);
    return this.#bytes.slice(at, at + size);
  }

  text(size) {
    const at = this.#forward(size);
    return utf8Text(this.#bytes.subarray(at, at + size));
  }

  /** What is left over is malformed. */
  end() {
    if (this.left) throw new CodecError(`${this.left} bytes are left over`);
  }
}

/** Writes one frame. */
export class ByteWriter {
  #bytes = new Uint8Array(128);
  #view = new DataView(this.#bytes.buffer);
  #size = 0;

  /** Makes room, which may replace the buffer and its view: ask for the offset first. */
  #forward(size) {
    const at = this.#size;
    this.#size += size;
    if (this.#size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#size, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }

  u8(value) {
    const at = this.#forward(1);
    this.#view.setUint8(at, value);
  }

  u16(value) {
    const at = this.#forward(2);
    this.#view.setUint16(at, value);
  }

  u32(value) {
    const at = this.#forward(4);
    this.#view.setUint32(at, value);
  }

  u64(value) {
    const at = this.#forward(8);
    this.#view.setBigUint64(at, BigInt(value));
  }

  i64(value) {
    const at = this.#forward(8);
    this.#view.setBigInt64(at, BigInt(value));
  }

  bytes(value) {
    const at = this.#forward(value.length);
    this.#bytes.set(value, at);
  }

  /** All that was written. */
  take() {
    return this.#bytes.slice(0, this.#size);
  }
}

/** Bytes that came off the wire and wait for the rest of their frame. Each byte is moved a few times at most. */
export class ByteQueue {
  #bytes = new Uint8Array(0);
  #start = 0;
  #end = 0;

  get length() {
    return this.#end - this.#start;
  }

  push(bytes) {
    if (this.#end + bytes.length > this.#bytes.length) {
      const waiting = this.#bytes.subarray(this.#start, this.#end);
      const size = waiting.length + bytes.length;
      // Room for twice as much, so that a frame that comes byte by byte isn't moved for each of them.
      const target = new Uint8Array(2 * size);
      target.set(waiting);
      this.#bytes = target;
      this.#end = waiting.length;
      this.#start = 0;
    }
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** The waiting bytes, for looking at only. */
  get waiting() {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Takes so many bytes out, as a copy, and drops `behind` more. */
  take(size, behind = 0) {
    const taken = this.#bytes.slice(this.#start, this.#start + size);
    this.#start += size + behind;
    if (this.#start === this.#end) this.clear();
    return taken;
  }

  /** Forgets all that waits; an idle link doesn't keep the room that one long frame took. */
  clear() {
    if (this.#bytes.length > MOST_IDLE) this.#bytes = new Uint8Array(0);
    this.#start = this.#end = 0;
  }
}
