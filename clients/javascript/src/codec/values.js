/** The values that a field may have: six types, each with its form in bytes and in JSON. */

import { CodecError } from '../errors.js';
import { fromBase64, narrowed, toBase64, utf8Bytes, utf8Text, ByteReader, ByteWriter } from './bytes.js';

const DECIMAL = /^-?[0-9]{1,18}(?:\.[0-9]{1,9})?$/;
const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z$/;
const LEAST_TIME = -62_135_596_800_000; // 0001-01-01T00:00:00.000Z
const MOST_TIME = 253_402_300_799_999; // 9999-12-31T23:59:59.999Z
const LEAST_INTEGER = -(2n ** 63n);
const MOST_INTEGER = 2n ** 63n - 1n;
const INTEGER_TEXT = /^-?[0-9]{1,20}$/;

/** A decimal number, kept as it was written: `12.50` stays `12.50`. */
export class Decimal {
  /** @param {string | number} written 1 to 18 digits, and maybe a point and 1 to 9 digits behind it */
  constructor(written) {
    const text = String(written);
    if (!DECIMAL.test(text)) {
      throw new CodecError('a decimal has 1 to 18 digits, and maybe a point and 1 to 9 digits behind it');
    }
    this.text = text;
    Object.freeze(this);
  }

  toString() {
    return this.text;
  }

  toJSON() {
    return this.text;
  }

  /** Whether the other one is written the same way. */
  equals(other) {
    return other instanceof Decimal && other.text === this.text;
  }
}

/** An integer in one of its two forms in JSON: a number, or digits in a text. */
export function integerOfJson(value) {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  if (typeof value === 'string' && INTEGER_TEXT.test(value)) return narrowed(BigInt(value));
  throw new CodecError('no integer');
}

/** An integer as JSON text; as a text in it where JavaScript would round the number. */
export function integerToJson(value) {
  const integer = narrowed(BigInt(value));
  return typeof integer === 'number' ? String(integer) : `"${integer}"`;
}

/** Whether a value is an integer of JavaScript that says exactly what it is. */
export function isExactInteger(value) {
  return typeof value === 'bigint' || Number.isSafeInteger(value);
}

function timeOf(milliseconds) {
  if (milliseconds < LEAST_TIME || milliseconds > MOST_TIME) throw new CodecError('a time lies in the years 1 to 9999');
  return new Date(Number(milliseconds));
}

function timeOfText(text) {
  const date = new Date(typeof text === 'string' && TIME.test(text) ? text : Number.NaN);
  // A day such as February 30 would become another one.
  if (Number.isNaN(date.getTime()) || date.toISOString().slice(0, 19) !== text.slice(0, 19)) {
    throw new CodecError('a time is written as 2026-11-26T18:00:00.000Z');
  }
  return timeOf(date.getTime());
}

function checkedTime(date) {
  if (Number.isNaN(date.getTime())) throw new CodecError('an invalid Date');
  return timeOf(date.getTime());
}

function asText(value) {
  if (typeof value !== 'string') throw new CodecError('no text');
  return value;
}

/** What fills the length in front of it, and nothing more. */
function whole(bytes, read) {
  const reader = new ByteReader(bytes);
  const value = read(reader);
  reader.end();
  return value;
}

function written(write) {
  const writer = new ByteWriter();
  write(writer);
  return writer.take();
}

const text = {
  code: 0,
  is: (value) => typeof value === 'string',
  read: utf8Text,
  write: utf8Bytes,
  toJson: (value) => JSON.stringify(value),
};

const integer = {
  code: 1,
  is: isExactInteger,
  read: (bytes) => whole(bytes, (reader) => reader.i64()),
  write(value) {
    if (value < LEAST_INTEGER || value > MOST_INTEGER) throw new CodecError("the integer doesn't fit 64 bits, signed");
    return written((writer) => writer.i64(value));
  },
  key: 'int',
  toJson(value) {
    const json = integerToJson(value);
    return json.startsWith('"') ? `{"int":${json}}` : json;
  },
  fromJson: (value) => integerOfJson(asText(value)),
};

const boolean = {
  code: 2,
  is: (value) => typeof value === 'boolean',
  read(bytes) {
    const value = whole(bytes, (reader) => reader.u8());
    if (value > 1) throw new CodecError('a boolean is 0 or 1');
    return value === 1;
  },
  write: (value) => Uint8Array.of(value ? 1 : 0),
  toJson: String,
};

const bytes = {
  code: 3,
  is: (value) => value instanceof Uint8Array,
  read: (value) => Uint8Array.from(value),
  write: (value) => value,
  key: 'bytes',
  toJson: (value) => `{"bytes":"${toBase64(value)}"}`,
  fromJson: fromBase64,
};

const decimal = {
  code: 4,
  is: (value) => value instanceof Decimal,
  read: (value) => new Decimal(utf8Text(value)),
  write: (value) => utf8Bytes(value.text),
  key: 'decimal',
  toJson: (value) => `{"decimal":"${value.text}"}`,
  fromJson: (value) => new Decimal(asText(value)),
};

const time = {
  code: 5,
  is: (value) => value instanceof Date,
  read: (value) => timeOf(whole(value, (reader) => reader.i64())),
  write: (value) => written((writer) => writer.i64(checkedTime(value).getTime())),
  key: 'time',
  toJson: (value) => `{"time":"${checkedTime(value).toISOString()}"}`,
  fromJson: timeOfText,
};

const TYPES = [text, integer, boolean, bytes, decimal, time];
const TYPE_OF_KEY = new Map(TYPES.filter((type) => type.key).map((type) => [type.key, type]));

/** The type of field with this number on the wire. */
export function typeOfCode(code) {
  const type = TYPES[code];
  if (!type) throw new CodecError(`there is no type of field ${code}`);
  return type;
}

/** The type of field that holds this value. */
export function typeOfValue(value) {
  const type = TYPES.find((candidate) => candidate.is(value));
  if (!type) throw new CodecError('a field is text, an exact integer, a boolean, a Uint8Array, a Decimal or a Date');
  return type;
}

/** The value of a field as the strict parser gives it. */
export function valueOfJson(json) {
  if (typeof json === 'string' || typeof json === 'boolean' || isExactInteger(json)) return json;
  if (json instanceof Map && json.size === 1) {
    const [[key, held]] = json;
    const type = TYPE_OF_KEY.get(key);
    if (type) return type.fromJson(held);
  }
  throw new CodecError('no value of a field');
}
