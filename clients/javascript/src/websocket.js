/** A transport over a WebSocket, as browsers have it: one JSON message a text frame. Use it with the JSON codec. */

import { LinkLost } from './errors.js';

const LINE_FEED = 10;
const OPEN = 1;
const NO_MESSAGE = Uint8Array.of(LINE_FEED);

/**
 * A transport over this WebSocket, once it is open.
 *
 * @param {WebSocket} socket connecting, or open
 * @returns {Promise<WebSocketTransport>}
 * @throws {LinkLost} it doesn't open
 */
export function openWebSocket(socket) {
  const transport = new WebSocketTransport(socket);
  if (socket.readyState === OPEN) return Promise.resolve(transport);
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(transport));
    socket.addEventListener('close', () => reject(new LinkLost('the WebSocket did not open', false)));
  });
}

export class WebSocketTransport {
  #socket;
  #encoder = new TextEncoder();
  #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(socket) {
    this.#socket = socket;
    this.ondata = () => {};
    this.onclose = () => {};
    socket.addEventListener('message', ({ data }) => this.ondata(this.#lineOf(data)));
    socket.addEventListener('close', ({ reason }) => this.onclose(reason || 'the WebSocket closed'));
  }

  /** A message is the line without its line feed. */
  write(frame) {
    if (this.#socket.readyState === OPEN) this.#socket.send(this.#decoder.decode(frame.subarray(0, -1)));
  }

  close() {
    this.#socket.close(1000);
  }

  /**
   * The line of a message. A line feed within it is space between two tokens, or else malformed; a carriage return is the
   * same, and ends no line. A binary message is malformed, as an empty line is.
   */
  #lineOf(data) {
    if (typeof data !== 'string') return NO_MESSAGE;
    return this.#encoder.encode(`${data.replaceAll('\n', '\r')}\n`);
  }
}
