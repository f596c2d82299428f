/**
 * TCP and TLS for Node.
 *
 * A transport is what a link runs on: `write(frame)` sends one whole frame, `close()` lets what was written go out and
 * closes; it calls `ondata(bytes)` and, once, `onclose(reason)`, which the link sets. Anything of this form will do.
 */

import { connect as connectPlain } from 'node:net';
import { connect as connectSecure } from 'node:tls';

import { LinkLost, UnsafeLink } from './errors.js';

const MOST_UNREAD = 8 * 1_048_576;
const CLOSE_WITHIN = 2_000;

/**
 * Opens a link to an exchange.
 *
 * @param {object} options
 * @param {string} options.host
 * @param {number} options.port
 * @param {boolean | object} [options.tls] true, or options of `tls.connect` such as `ca`, `cert` and `key`
 * @param {boolean} [options.plainSecrets] whether a secret may go over plain TCP beyond this machine
 * @param {number} [options.timeout] in milliseconds
 * @returns {Promise<TcpTransport>}
 * @throws {UnsafeLink} others could read the secret on the way
 * @throws {LinkLost} there is no link in time
 */
export function openTcp({ host, port, tls = false, plainSecrets = false, timeout = 10_000 }) {
  return new Promise((resolve, reject) => {
    const socket = tls
      ? connectSecure({ servername: nameOf(host), ...(tls === true ? {} : tls), host, port })
      : connectPlain({ host, port });
    const fail = (error) => {
      socket.destroy();
      reject(new LinkLost(`no link to ${host}:${port}: ${error.message}`, false));
    };
    socket.setNoDelay(true);
    socket.setTimeout(timeout, () => fail(new Error(`nothing came within ${timeout} ms`)));
    socket.once('error', fail);
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      socket.setTimeout(0);
      socket.removeListener('error', fail);
      if (tls || plainSecrets || isLoopback(socket.remoteAddress)) {
        resolve(new TcpTransport(socket));
      } else {
        socket.destroy();
        reject(new UnsafeLink(`nothing is said to ${host}:${port} over plain TCP: use tls, or set plainSecrets`));
      }
    });
  });
}

/** The name that the certificate has to be for; an address is checked as such, and never sent as a name. */
function nameOf(host) {
  return /^[0-9.]+$|:/.test(host) ? '' : host;
}

function isLoopback(address = '') {
  return /^(::ffff:)?127\./.test(address) || address === '::1';
}

/** A link over a socket of Node that is connected. */
export class TcpTransport {
  #socket;
  #corked = false;
  #reason = 'the other side closed the link';

  constructor(socket) {
    this.#socket = socket;
    this.ondata = () => {};
    this.onclose = () => {};
    socket.on('data', (bytes) => this.ondata(bytes));
    socket.on('error', (error) => {
      this.#reason = error.message;
    });
    socket.on('close', () => this.onclose(this.#reason));
  }

  write(frame) {
    this.#cork();
    this.#socket.write(frame);
    if (this.#socket.writableLength > MOST_UNREAD) {
      this.#socket.destroy(new Error('the other side leaves too much unread'));
    }
  }

  close() {
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), CLOSE_WITHIN);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  /** Frames that are written in one turn go out together. */
  #cork() {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    queueMicrotask(() => {
      this.#corked = false;
      this.#socket.uncork();
    });
  }
}
