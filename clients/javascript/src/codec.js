/** Messages to bytes and back: the binary codec and the JSON codec. Nothing here needs Node. */

import { BinaryCodec } from './codec/binary.js';
import { JsonCodec } from './codec/json.js';
import { CodecError } from './errors.js';

export { BinaryCodec, JsonCodec, CodecError };
export { Decimal } from './codec/values.js';
export { DEFAULT_MAX_FRAME, MESSAGES, VERSION, replyTo } from './codec/messages.js';

/** The codec of a name, `binary` or `json`; a codec itself is given back. */
export function codecOf(codec = 'binary') {
  if (typeof codec === 'object') return codec;
  if (codec === 'binary') return new BinaryCodec();
  if (codec === 'json') return new JsonCodec();
  throw new TypeError(`the codec is "binary" or "json", not ${JSON.stringify(codec)}`);
}
