/**
 * What bodies are made of. Each type says how it is read and written in bytes, how it stands in JSON, and what stands
 * for it where JSON leaves it out. The messages in `messages.js` are declared with these, and nothing else knows them.
 */

import {
  Action,
  AgentStateCode,
  ConnectionState,
  MonitorSwitch,
  Page,
  PartyRole,
  Recording,
} from '../codes.js';
import { CodecError } from '../errors.js';
import { utf8Bytes } from './bytes.js';
import { integerOfJson, integerToJson, isExactInteger, typeOfCode, typeOfValue, valueOfJson } from './values.js';

const MOST_NAME = 64;
const MOST_U16 = 0xffff;
const DIGITS = /^[0-9]*$/;

/** The same type with another default. */
export function withDefault(type, value) {
  return { ...type, initial: () => value };
}

/** The same type, never left out. */
export function needed(type) {
  return { ...type, initial: undefined };
}

/**
 * A number of fixed width.
 *
 * @param {string} letters the reader's and writer's method: u8, u16, u32 or u64
 * @param {number[]} [members] the only ones that there are, where it stands for something
 */
function number(letters, members) {
  const most = 2n ** BigInt(letters.slice(1)) - 1n;

  function checked(value) {
    if (!isExactInteger(value) || value < 0 || value > most) throw new CodecError(`no integer of ${letters}`);
    if (members && !members.includes(Number(value))) throw new CodecError(`${value} stands for nothing here`);
    return value;
  }

  return {
    type: letters,
    members,
    initial: !members || members.includes(0) ? () => 0 : undefined,
    read: (reader) => checked(reader[letters]()),
    write: (writer, value) => writer[letters](letters === 'u64' ? checked(value) : Number(checked(value))),
    fromJson: (json) => checked(integerOfJson(json)),
    toJson: integerToJson,
  };
}

/** A number that is one of an enumeration. */
function codes(enumeration) {
  return number('u8', Object.values(enumeration));
}

/** Text behind its length in bytes. */
function text(letters, { least = 0, most = 2 ** Number(letters.slice(1)) - 1, digits = false } = {}) {
  function check(value, size) {
    if (size < least || size > most) throw new CodecError(`text of ${size} bytes: ${least} to ${most} are allowed`);
    if (digits && !DIGITS.test(value)) throw new CodecError('a serial is made of digits');
  }

  return {
    type: digits ? 'serial' : 'text',
    least,
    most,
    initial: least === 0 ? () => '' : undefined,
    read(reader) {
      const size = reader[letters]();
      const value = reader.text(size);
      check(value, size);
      return value;
    },
    write(writer, value) {
      if (typeof value !== 'string') throw new CodecError('no text');
      const bytes = utf8Bytes(value);
      check(value, bytes.length);
      writer[letters](bytes.length);
      writer.bytes(bytes);
    },
    fromJson(json) {
      if (typeof json !== 'string') throw new CodecError('no text');
      return json;
    },
    toJson: (value) => JSON.stringify(value),
  };
}

export const u8 = number('u8');
export const u16 = number('u16');
export const u32 = number('u32');
export const u64 = number('u64');
export const status = u16;
export const role = number('u8', [1, 2]);
export const condition = u8; // any: readers take one that they don't know as progress, and from 128 on as final
export const serviceCondition = number('u8', [0, 1, 2, 3]);
export const openCallState = number('u8', [0, 1, 2, 3, 4]);
export const action = codes(Action);
export const partyRole = codes(PartyRole);
export const connectionState = codes(ConnectionState);
export const callChange = u8; // any: readers take one that they don't know as a change like any other
export const recording = codes(Recording);
export const agentState = codes(AgentStateCode);
export const monitorSwitch = withDefault(codes(MonitorSwitch), MonitorSwitch.START);
export const page = codes(Page);
export const text8 = text('u8');
export const text16 = text('u16');
export const serial = text('u8', { least: 1, most: 20, digits: true });
export const serialOrEmpty = text('u8', { least: 0, most: 20, digits: true });

export const fieldName = text('u8', { least: 1, most: MOST_NAME });

/** Channel associated data: typed, named values, as a Map that keeps their order. */
export const fields = {
  type: 'fields',
  initial: () => new Map(),
  read(reader) {
    const made = new Map();
    const count = reader.u16();
    for (let index = 0; index < count; index += 1) {
      const name = fieldName.read(reader);
      if (made.has(name)) throw new CodecError('a doubled field name');
      const type = typeOfCode(reader.u8());
      made.set(name, type.read(reader.bytes(reader.u16())));
    }
    return made;
  },
  write(writer, value) {
    const entries = [...entriesOf(value)];
    if (entries.length > MOST_U16) throw new CodecError(`at most ${MOST_U16} fields fit a message`);
    writer.u16(entries.length);
    for (const [name, held] of entries) {
      const type = typeOfValue(held);
      fieldName.write(writer, name);
      const bytes = type.write(held);
      if (bytes.length > MOST_U16) throw new CodecError(`a field takes up to ${MOST_U16} bytes`);
      writer.u8(type.code);
      writer.u16(bytes.length);
      writer.bytes(bytes);
    }
  },
  fromJson(json) {
    if (!(json instanceof Map)) throw new CodecError('fields are an object');
    return new Map([...json].map(([name, held]) => [name, valueOfJson(held)]));
  },
  toJson(value) {
    const members = [...entriesOf(value)].map(
      ([name, held]) => `${JSON.stringify(name)}:${typeOfValue(held).toJson(held)}`,
    );
    return `{${members.join(',')}}`;
  },
};

/** Fields may be given as a Map or as a plain object. */
export function entriesOf(value) {
  if (value instanceof Map) return value.entries();
  const prototype = value && typeof value === 'object' ? Object.getPrototypeOf(value) : undefined;
  if (prototype === Object.prototype || prototype === null) return Object.entries(value);
  throw new CodecError('fields are a Map or a plain object');
}

/** A list of objects behind its count. */
export function list(attributes) {
  const pairs = Object.entries(attributes);

  function check(names) {
    if (names.length !== pairs.length || !names.every((name) => Object.hasOwn(attributes, name))) {
      throw new CodecError(`one of the list has exactly ${Object.keys(attributes).join(', ')}`);
    }
  }

  function checkedList(value) {
    if (!Array.isArray(value)) throw new CodecError('no list');
    return value;
  }

  return {
    type: 'list',
    attributes,
    initial: () => [],
    read(reader) {
      const count = reader.u16();
      const made = [];
      for (let index = 0; index < count; index += 1) {
        made.push(Object.fromEntries(pairs.map(([name, type]) => [name, type.read(reader)])));
      }
      return made;
    },
    write(writer, value) {
      if (checkedList(value).length > MOST_U16) throw new CodecError(`at most ${MOST_U16} fit a list`);
      writer.u16(value.length);
      for (const one of value) {
        check(Object.keys(one ?? {}));
        for (const [name, type] of pairs) type.write(writer, one[name]);
      }
    },
    fromJson(json) {
      return checkedList(json).map((one) => {
        if (!(one instanceof Map)) throw new CodecError('a list is one of objects');
        check([...one.keys()]);
        return Object.fromEntries(pairs.map(([name, type]) => [name, type.fromJson(one.get(name))]));
      });
    },
    toJson(value) {
      const objects = value.map((one) => pairs.map(([name, type]) => `"${name}":${type.toJson(one[name])}`).join(','));
      return `[${objects.map((members) => `{${members}}`).join(',')}]`;
    },
  };
}
