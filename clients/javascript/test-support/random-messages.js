/** Random messages, made from the table of messages itself. */

import { Decimal } from '../src/codec.js';

const LETTERS = [
  'a',
  'Z',
  '0',
  ' ',
  '\u0000',
  '\n',
  '"',
  '\\',
  '\u001f',
  '\u007f',
  'é',
  '\u2028',
  '\ufeff',
  '電',
  '📞',
  '__proto__',
];
const INTEGERS = [
  0,
  1,
  -1,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  2n ** 53n,
  -(2n ** 53n),
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const DECIMALS = ['0', '-0', '12.50', '007.50', '-0.000000001', '999999999999999999.999999999'];
const TIMES = [0, -1, -62_135_596_800_000, 253_402_300_799_999, 1_764_180_000_000];

export function randomMessages(random) {
  const below = (most) => Math.floor(random() * most);
  const one = (choices) => choices[below(choices.length)];
  const many = (count, make) => Array.from({ length: count }, make);

  function text(most) {
    let made = many(one([0, 1, 5, 40]), () => one(LETTERS)).join('');
    while (new TextEncoder().encode(made).length > most) made = [...made].slice(0, -1).join('');
    return made;
  }

  const values = [
    () => text(300),
    () => one(INTEGERS),
    () => random() < 0.5,
    () => Uint8Array.from(many(one([0, 1, 2, 3, 50]), () => below(256))),
    () => new Decimal(one(DECIMALS)),
    () => new Date(one(TIMES)),
  ];

  const byType = {
    u8: ({ members }) => (members ? one(members) : below(256)),
    u16: () => below(2 ** 16),
    u32: () => below(2 ** 32),
    u64: () => one([0, 1, Number.MAX_SAFE_INTEGER, 2n ** 53n, 2n ** 64n - 1n]),
    text: ({ least, most }) => text(most) || 'n'.repeat(least),
    serial: ({ least }) => many(Math.max(least, one([0, 3, 20])), () => below(10)).join(''),
    fields: () => new Map(many(one([0, 1, 6]), () => [text(64) || 'name', one(values)()])),
    list: ({ attributes }) => many(one([0, 1, 3]), () => attributesOf(Object.entries(attributes))),
  };

  function attributesOf(pairs) {
    return Object.fromEntries(pairs.map(([name, type]) => [name, byType[type.type](type)]));
  }

  return {
    one,
    below,
    message: (declared) => ({ kind: declared.name, ...attributesOf(declared.attributes) }),
    extensions: () => many(one([0, 0, 1, 3]), () => ({ type: below(2 ** 16), value: values[3]() })),
  };
}
