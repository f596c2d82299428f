/** What both codecs do alike with a message: its declaration, its attributes, its bytes. */

import { CodecError } from '../errors.js';
import { ByteWriter } from './bytes.js';
import { MESSAGE_OF_NAME } from './messages.js';

const MOST_EXTENSIONS = 0xff;
const MOST_U16 = 0xffff;
const MOST_U32 = 0xffff_ffff;

export function declarationOf(message) {
  const declared = MESSAGE_OF_NAME.get(message?.kind);
  if (!declared) throw new CodecError(`there is no message ${String(message?.kind)}`);
  return declared;
}

/** The message with each attribute, in order; those that were left out have their defaults. */
export function completed(declared, given) {
  for (const name of Object.keys(given)) {
    if (name !== 'kind' && !declared.attributes.some(([known]) => known === name)) {
      throw new CodecError(`${declared.name} has no ${JSON.stringify(name).slice(0, 80)}`);
    }
  }
  const message = { kind: declared.name };
  for (const [name, type] of declared.attributes) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined && !type.initial) throw new CodecError(`${declared.name} needs ${name}`);
    message[name] = value === undefined ? type.initial() : value;
  }
  return message;
}

/** Writes the body of a complete message; whatever it holds is checked by this. */
export function writeBody(writer, declared, message) {
  for (const [name, type] of declared.attributes) {
    about(declared, name, () => type.write(writer, message[name]));
  }
}

/** Whether a complete message could travel; if not, a CodecError is thrown. */
export function check(declared, message) {
  writeBody(new ByteWriter(), declared, message);
}

/** Does something with one attribute; an error says which one. */
export function about(declared, name, act) {
  try {
    return act();
  } catch (error) {
    if (error instanceof CodecError) throw new CodecError(`${declared.name}.${name}: ${error.message}`);
    throw error;
  }
}

export function checkInvokeId(invokeId) {
  if (!Number.isInteger(invokeId) || invokeId < 0 || invokeId > MOST_U32) {
    throw new CodecError('an invoke id is an unsigned integer of 32 bits');
  }
  return invokeId;
}

/** @param {{type: number, value: Uint8Array}[]} extensions what may stand behind any body */
export function checkExtensions(extensions) {
  if (!Array.isArray(extensions) || extensions.length > MOST_EXTENSIONS) {
    throw new CodecError(`a frame has up to ${MOST_EXTENSIONS} extensions`);
  }
  for (const { type, value } of extensions) {
    const fits = Number.isInteger(type) && type >= 0 && type <= MOST_U16;
    if (!fits || !(value instanceof Uint8Array) || value.length > MOST_U16) {
      throw new CodecError('an extension has a type of 16 bits and up to 65,535 bytes');
    }
  }
  return extensions;
}
