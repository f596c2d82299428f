/** Properties of both codecs: what is written is read again, and any bytes give messages or CodecErrors. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BinaryCodec, CodecError, Decimal, JsonCodec, MESSAGES, replyTo } from '../src/codec.js';
import { utf8Bytes } from '../src/codec/bytes.js';
import { Action, allows } from '../src/codes.js';
import { Doubled, parseJson } from '../src/codec/strict-json.js';
import { randomMessages } from '../test-support/random-messages.js';
import { fromHex, seeded } from '../test-support/values.js';

const CODECS = [new BinaryCodec(), new JsonCodec()];
const EACH = 20;

function read(codec, bytes, maxFrame) {
  const decoder = codec.decoder(maxFrame);
  decoder.receive(bytes);
  const frames = [];
  for (let frame = decoder.next(); frame; frame = decoder.next()) frames.push(frame);
  return frames;
}

function readOne(codec, bytes) {
  const [frame, ...more] = read(codec, bytes);
  assert.equal(more.length, 0);
  return codec.decode(frame);
}

function fieldsOf(codec, value) {
  const frame = codec.encode({ kind: 'UpdateRequest', serial: '1', fields: { value } }, 1);
  return readOne(codec, frame).message.fields.get('value');
}

for (const codec of CODECS) {
  test(`every message comes back as it was, with its extensions (${codec.name})`, () => {
    const random = randomMessages(seeded(2012));
    for (const declared of MESSAGES) {
      for (let times = 0; times < EACH; times += 1) {
        const [message, extensions] = [random.message(declared), random.extensions()];
        const invokeId = random.below(2 ** 32);
        const bytes = codec.encode(message, invokeId, extensions);
        const [frame] = read(codec, bytes);
        assert.deepEqual([frame.code, frame.invokeId, frame.fault], [declared.code, invokeId, null]);
        assert.deepEqual(codec.decode(frame), { message, extensions });
      }
    }
  });

  test(`frames are found however they are split (${codec.name})`, () => {
    const random = randomMessages(seeded(7));
    const messages = MESSAGES.map((declared) => random.message(declared));
    const all = messages.flatMap((message) => [...codec.encode(message, 9)]);
    const decoder = codec.decoder();
    const found = [];
    for (let at = 0; at < all.length;) {
      const size = random.one([1, 1, 2, 7, 300]);
      decoder.receive(Uint8Array.from(all.slice(at, at + size)));
      at += size;
      for (let frame = decoder.next(); frame; frame = decoder.next()) found.push(codec.decode(frame).message);
    }
    assert.deepEqual(found, messages);
  });

  test(`any bytes give messages or CodecErrors (${codec.name})`, () => {
    const random = randomMessages(seeded(44));
    let refused = 0;
    for (let times = 0; times < 1_500; times += 1) {
      const bytes = codec.encode(random.message(random.one(MESSAGES)), 3, random.extensions());
      for (let count = random.one([1, 2, 8]); count; count -= 1) bytes[random.below(bytes.length)] = random.below(256);
      const decoder = codec.decoder();
      decoder.receive(bytes);
      try {
        for (let frame = decoder.next(); frame; frame = decoder.next()) {
          try {
            codec.decode(frame);
          } catch (error) {
            assert.ok(error instanceof CodecError, error.stack);
            refused += 1;
          }
        }
      } catch (error) {
        assert.ok(error instanceof CodecError, error.stack);
        refused += 1;
      }
    }
    assert.ok(refused > 200);
  });

  test(`each type of field (${codec.name})`, () => {
    for (const value of [
      '',
      '\ufeffmark',
      '電話',
      0,
      -7,
      2n ** 62n,
      true,
      false,
      new Uint8Array([0, 255]),
      new Decimal('007.50'),
      new Date('0001-01-01T00:00:00Z'),
    ]) {
      assert.deepEqual(fieldsOf(codec, value), value);
    }
    assert.equal(fieldsOf(codec, 5n), 5);
    assert.equal(fieldsOf(codec, -0), 0);
    assert.ok(fieldsOf(codec, Buffer.from('hello')) instanceof Uint8Array);
  });

  test(`what can't travel is a CodecError (${codec.name})`, () => {
    const wrong = [
      1.5,
      Number.NaN,
      2 ** 53,
      2n ** 63n,
      null,
      undefined,
      [],
      {},
      '\ud800',
      'x'.repeat(65_536),
      new Uint8Array(65_536),
      new Date(Number.NaN),
      new Date('-000001-01-01T00:00:00Z'),
      new Date('+010000-01-01T00:00:00Z'),
      Symbol('x'),
    ];
    for (const value of wrong) assert.throws(() => fieldsOf(codec, value), CodecError);
    for (const name of ['', 'x'.repeat(65), '\udc00']) {
      assert.throws(
        () => codec.encode({ kind: 'UpdateRequest', serial: '1', fields: new Map([[name, 1]]) }),
        CodecError,
      );
    }
    const messages = [
      { kind: 'None' },
      {},
      null,
      { kind: 'DataRequest' },
      { kind: 'DataRequest', serial: '' },
      { kind: 'DataRequest', serial: '1a' },
      { kind: 'DataRequest', serial: '1'.repeat(21) },
      { kind: 'DataRequest', serial: 7 },
      { kind: 'DataRequest', serial: '\u0661' },
      { kind: 'DataRequest', serial: '1', adress: '' },
      { kind: 'Bind', role: 3 },
      { kind: 'Bind' },
      { kind: 'AgentLogin' },
      { kind: 'AgentLogin', agent: 'x'.repeat(256) },
      { kind: 'AgentLogin', agent: '1', epoch: -1 },
      { kind: 'AgentLogin', agent: '1', epoch: 2n ** 64n },
      { kind: 'AgentLogin', agent: '1', epoch: '1' },
      { kind: 'ServiceEvent', serial: '1', condition: 10 },
      { kind: 'CallQueryReply', calls: [{}] },
      { kind: 'CallQueryReply', calls: {} },
      { kind: 'ConnectRequest', fields: 'x' },
      { kind: 'ConnectRequest', fields: null },
    ];
    for (const message of messages)
      assert.throws(() => codec.encode(message), CodecError, JSON.stringify(message?.kind));
    for (const invokeId of [-1, 2 ** 32, 1.5, '1'])
      assert.throws(() => codec.encode({ kind: 'Ping' }, invokeId), CodecError);
    for (const extension of [
      { type: 65_536, value: new Uint8Array() },
      { type: 1, value: 'x' },
      { type: -1, value: new Uint8Array() },
    ]) {
      assert.throws(() => codec.encode({ kind: 'Ping' }, 1, [extension]), CodecError);
    }
  });

  test(`attributes that are left out have their defaults (${codec.name})`, () => {
    const { message } = readOne(codec, codec.encode({ kind: 'Bind', role: 1 }));
    assert.deepEqual(message, {
      kind: 'Bind',
      role: 1,
      identity: '',
      secret: '',
      min_version: 2,
      max_version: 2,
      software: '',
      features: '',
    });
    assert.equal(readOne(codec, codec.encode({ kind: 'BindReply' })).message.max_frame, 65_536);
  });

  test(`a frame over the limit ends the link, one of just that length does not (${codec.name})`, () => {
    const frame = codec.encode({ kind: 'Unbind', status: 0, detail: 'x'.repeat(3_000) }, 1);
    const length = codec.lengthOf(frame);
    assert.equal(read(codec, frame, length).length, 1);
    for (let size = codec.name === 'binary' ? 4 : length; size <= frame.length; size += 500) {
      assert.throws(() => read(codec, frame.slice(0, size), length - 1), { name: 'CodecError', status: 4 });
    }
    const decoder = codec.decoder(length - 1);
    decoder.receive(frame);
    for (let times = 0; times < 2; times += 1) assert.throws(() => decoder.next(), { status: 4 });
  });
}

test('what ends a binary link is known as soon as it has come', () => {
  const [binary] = CODECS;
  const first = (hex) => () => read(binary, fromHex(hex));
  assert.throws(first('00000007'), { status: 1 });
  assert.throws(first('00010001'), { status: 4 });
  assert.throws(first('0000000801'), { status: 3 });
  assert.throws(first('00000008'.padEnd(10, '3')), { status: 3 });
  assert.deepEqual(read(binary, fromHex('000000')), []);
});

test('flags and kinds', () => {
  const [binary] = CODECS;
  const [flags] = read(binary, fromHex('00000008 02 05 0002 00000009'.replaceAll(' ', '')));
  assert.deepEqual([flags.code, flags.invokeId, flags.fault.status], [5, 9, 1]);
  const [kind] = read(binary, fromHex('00000008 02 30 0000 00000009'.replaceAll(' ', '')));
  assert.deepEqual([kind.code, kind.invokeId, kind.fault], [0x30, 9, null]);
  const [unassigned] = read(binary, fromHex('00000008 02 39 0000 00000009'.replaceAll(' ', '')));
  assert.deepEqual([unassigned.code, unassigned.invokeId, unassigned.fault], [0x39, 9, null]);
  assert.throws(() => binary.decode(unassigned), { status: 2 });
  const [unknown] = read(binary, fromHex('00000008 02 40 0000 00000009'.replaceAll(' ', '')));
  assert.deepEqual([unknown.code, unknown.invokeId, unknown.fault.status], [0x40, 9, 2]);
});

test('a decimal is kept as it was written', () => {
  assert.equal(`${new Decimal('12.50')}`, '12.50');
  assert.equal(JSON.stringify({ price: new Decimal('-0.10') }), '{"price":"-0.10"}');
  assert.ok(new Decimal('1').equals(new Decimal(1)));
  assert.ok(!new Decimal('1').equals(new Decimal('1.0')));
  for (const text of ['', '.5', '1.', '1e3', '+1', '1'.repeat(19), '0.0123456789', '1,5', '\u0661', '1\n']) {
    assert.throws(() => new Decimal(text), CodecError);
  }
});

test('the parser of JSON takes and refuses what JSON.parse does, where messages allow it', () => {
  const random = randomMessages(seeded(9));
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"b"',
    '1',
    '-2',
    '0',
    'true',
    'false',
    'null',
    ' ',
    '\t',
    '"\\n"',
    '"\\u0041"',
    '"\\x"',
    '01',
    '-',
    '"',
  ];
  const plain = (value) =>
    value instanceof Map
      ? Object.fromEntries([...value].map(([key, held]) => [key, plain(held)]))
      : Array.isArray(value)
        ? value.map(plain)
        : value;
  for (let times = 0; times < 8_000; times += 1) {
    const text = Array.from({ length: 1 + random.below(9) }, () => random.one(pieces)).join('');
    let expected;
    try {
      expected = JSON.parse(text, (key, value) => (value === 0 ? 0 : value)); // -0 is 0 here
    } catch {
      assert.throws(() => parseJson(text), CodecError, text);
      continue;
    }
    const value = parseJson(text);
    if (typeof value !== 'symbol' && !(value instanceof Doubled)) assert.deepEqual(plain(value), expected, text);
  }
  assert.throws(() => parseJson('['.repeat(100_000)), CodecError);
});

test('text', () => {
  assert.throws(() => utf8Bytes('a\udc00'), CodecError);
  assert.equal(replyTo('ConnectRequest'), 'ConnectReply');
  assert.equal(replyTo('DataRequest'), 'DataResult');
});

test('what a party may ask for', () => {
  const actions = 2 ** Action.ANSWER + 2 ** Action.STOP_SUPERVISION;
  const allowed = Object.values(Action).filter((action) => allows(actions, action));
  assert.deepEqual(allowed, [Action.ANSWER, Action.STOP_SUPERVISION]);
  assert.ok(allows(0xffff_ffff, 31));
});
