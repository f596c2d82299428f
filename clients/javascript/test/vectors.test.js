/** What the codecs of the exchange write is read here, and written the same; what they refuse is refused here. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { BinaryCodec, CodecError, JsonCodec, MESSAGES } from '../src/codec.js';
import { fromHex, toHex } from '../test-support/values.js';

const VECTORS = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8'));
const BINARY = new BinaryCodec();
const JSON_CODEC = new JsonCodec();

function line(text) {
  return new TextEncoder().encode(`${text}\n`);
}

/** What this codec makes of the first frame of these bytes, in the words of the vectors. */
function verdict(codec, data) {
  const decoder = codec.decoder();
  decoder.receive(data);
  let frame;
  try {
    frame = decoder.next();
  } catch (error) {
    assert.ok(error instanceof CodecError, error);
    return { status: error.status, ends: true };
  }
  if (!frame) return { waits: true };
  try {
    const { message } = codec.decode(frame);
    return { line: new TextDecoder().decode(JSON_CODEC.encode(message, frame.invokeId)).trimEnd() };
  } catch (error) {
    assert.ok(error instanceof CodecError, error);
    return { status: error.status, id: frame.invokeId, about: frame.code };
  }
}

test('there is a vector of every message', () => {
  assert.deepEqual(new Set(VECTORS.messages.map(({ kind }) => kind)), new Set(MESSAGES.map(({ name }) => name)));
});

test('both forms of each vector are the same message, and are written byte for byte', () => {
  for (const vector of VECTORS.messages) {
    const forms = [
      [BINARY, fromHex(vector.hex)],
      [JSON_CODEC, line(vector.json)],
    ];
    const read = forms.map(([codec, bytes]) => {
      const decoder = codec.decoder();
      decoder.receive(bytes);
      const frame = decoder.next();
      assert.equal(decoder.next(), null);
      const decoded = codec.decode(frame);
      assert.equal(frame.invokeId, vector.id);
      assert.equal(decoded.message.kind, vector.kind);
      assert.deepEqual(
        decoded.extensions.map(({ type, value }) => [type, toHex(value)]),
        vector.extensions,
      );
      assert.equal(toHex(codec.encode(decoded.message, frame.invokeId, decoded.extensions)), toHex(bytes));
      return decoded;
    });
    assert.deepEqual(read[0], read[1]);
  }
});

test('damaged frames mean here what they mean at the exchange', () => {
  for (const { hex, ...expected } of VECTORS.frames) {
    assert.deepEqual(verdict(BINARY, fromHex(hex)), expected, hex);
  }
});

test('damaged lines mean here what they mean at the exchange', () => {
  for (const { hex, ...expected } of VECTORS.lines) {
    const data = fromHex(hex);
    assert.deepEqual(verdict(JSON_CODEC, Uint8Array.of(...data, 10)), expected, new TextDecoder().decode(data));
  }
});
