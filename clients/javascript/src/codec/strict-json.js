/**
 * A strict parser of JSON. JSON.parse isn't enough here: it keeps the last of doubled keys, and rounds integers.
 *
 * Objects come as a Map, integers as a Number or, beyond 2^53 - 1, a BigInt. What JSON has and the messages don't
 * (fractions, exponents, huge numbers) comes as `NOT_ALLOWED`, and objects with doubled keys as `Doubled`, which no
 * attribute takes: so the line can still be answered under its id.
 */

import { CodecError } from '../errors.js';
import { narrowed } from './bytes.js';

export const NOT_ALLOWED = Symbol('not allowed in a message');

/** An object with keys that stand in it more than once. */
export class Doubled {
  /** @param {Map<string, unknown>} once what stands in it once */
  constructor(once) {
    this.once = once;
  }
}

const LONGEST_INTEGER = String(-(2n ** 63n)).length;
const DEEPEST = 500; // no message is deeper than 4; a line of nothing but brackets must not end in a stack overflow
const SPACE = /[ \t\n\r]*/y;
const NUMBER = /(-?(?:0|[1-9][0-9]*))((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const HEX = /[0-9a-fA-F]{4}/y;
const ESCAPES = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
const WORDS = [
  ['true', true],
  ['false', false],
  ['null', null],
];

/** @returns {unknown} the value of one JSON text */
export function parseJson(text) {
  const parser = new Parser(text);
  const value = parser.value(0);
  parser.end();
  return value;
}

class Parser {
  #text;
  #at = 0;

  constructor(text) {
    this.#text = text;
  }

  value(depth) {
    if (depth > DEEPEST) this.#fail();
    this.#skipSpace();
    const next = this.#text[this.#at];
    if (next === '{') return this.#object(depth);
    if (next === '[') return this.#array(depth);
    if (next === '"') return this.#string();
    for (const [word, meaning] of WORDS) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return meaning;
      }
    }
    return this.#number();
  }

  end() {
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#fail();
  }

  #fail() {
    throw new CodecError(`no JSON from character ${this.#at} on`);
  }

  /** What the sticky pattern finds here; goes behind it. */
  #match(pattern) {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (!found) this.#fail();
    this.#at = pattern.lastIndex;
    return found;
  }

  #skipSpace() {
    this.#match(SPACE);
  }

  /** Whether this character comes next, behind any space; goes behind it. */
  #takes(character) {
    this.#skipSpace();
    const there = this.#text[this.#at] === character;
    if (there) this.#at += 1;
    return there;
  }

  #needs(character) {
    if (!this.#takes(character)) this.#fail();
  }

  #object(depth) {
    const made = new Map();
    const doubled = new Set();
    this.#at += 1;
    if (this.#takes('}')) return made;
    do {
      this.#skipSpace();
      if (this.#text[this.#at] !== '"') this.#fail();
      const key = this.#string();
      this.#needs(':');
      if (made.has(key)) doubled.add(key);
      made.set(key, this.value(depth + 1));
    } while (this.#takes(','));
    this.#needs('}');
    if (!doubled.size) return made;
    for (const key of doubled) made.delete(key);
    return new Doubled(made);
  }

  #array(depth) {
    const made = [];
    this.#at += 1;
    if (this.#takes(']')) return made;
    do made.push(this.value(depth + 1));
    while (this.#takes(','));
    this.#needs(']');
    return made;
  }

  #string() {
    let made = '';
    this.#at += 1;
    for (;;) {
      made += this.#match(PLAIN)[0];
      const next = this.#text[this.#at];
      this.#at += 1;
      if (next === '"') return made;
      if (next !== '\\') this.#fail(); // a control character, or the end
      made += this.#escaped();
    }
  }

  #escaped() {
    const letter = this.#text[this.#at];
    this.#at += 1;
    if (letter === 'u') return String.fromCharCode(Number.parseInt(this.#match(HEX)[0], 16));
    if (letter === undefined || !Object.hasOwn(ESCAPES, letter)) this.#fail();
    return ESCAPES[letter];
  }

  #number() {
    const [, integer, rest] = this.#match(NUMBER);
    return rest || integer.length > LONGEST_INTEGER ? NOT_ALLOWED : narrowed(BigInt(integer));
  }
}
