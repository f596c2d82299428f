/** Real sockets, TLS, and a WebSocket that isn't one. */

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { test } from 'node:test';

import { AgentClient, AutomaticService, openTcp, openWebSocket } from '../src/index.js';
import { selfSigned } from '../test-support/certificate.js';
import { FakeExchange } from '../test-support/fake-exchange.js';
import { TcpTransport } from '../src/transport.js';

/** A server on loopback that hands each link to the exchange. */
async function listening(server) {
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return server.address().port;
}

const CALL = { agent: '1001', service: 'bill', callingNumber: '138', fields: { account: '6222' } };

/** An agent and a service over one exchange: the whole way of a call. */
async function handedOver(link) {
  const service = new AutomaticService({
    ...link,
    identity: 'ivr',
    secret: 'y',
    async handler(call) {
      await call.complete({ heard: (await call.fetch()).get('account') });
    },
  });
  const client = new AgentClient({ ...link, identity: 'desk', secret: 'x' });
  await Promise.all([service.start(), client.connect()]);
  await client.login('1001');
  const handOff = await client.connectCustomer(CALL);
  const result = await handOff.result;
  await Promise.all([service.stop(), client.close()]);
  return [result.condition, result.fields.get('heard')];
}

for (const codec of ['binary', 'json']) {
  test(`a call over TCP (${codec})`, async () => {
    const exchange = new FakeExchange(codec);
    const server = createServer((socket) => exchange.accept(new TcpTransport(socket)));
    const port = await listening(server);
    assert.deepEqual(await handedOver({ host: '127.0.0.1', port, codec }), [1, '6222']);
    server.close();
  });
}

test('a call over TLS, and a certificate that nobody vouches for', async () => {
  const exchange = new FakeExchange();
  const { cert, key } = selfSigned();
  const server = createTlsServer({ cert, key }, (socket) => exchange.accept(new TcpTransport(socket)));
  server.on('tlsClientError', () => {});
  const port = await listening(server);
  const link = {
    host: 'localhost',
    port,
    tls: { ca: cert, lookup: (host, options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]) },
  };
  assert.deepEqual(await handedOver(link), [1, '6222']);
  await assert.rejects(openTcp({ ...link, tls: { lookup: link.tls.lookup } }), { name: 'LinkLost' });
  await assert.rejects(
    openTcp({ host: '127.0.0.1', port, tls: { ca: cert } }),
    { name: 'LinkLost' },
    'the name is another one',
  );
  server.close();
});

test('a port where nothing is', async () => {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => {
    server.close(resolve);
  });
  await assert.rejects(openTcp({ host: '127.0.0.1', port }), { name: 'LinkLost', sent: false });
});

test('a secret is not said over plain TCP beyond this machine', async () => {
  const { UnsafeLink } = await import('../src/index.js');
  const { networkInterfaces } = await import('node:os');
  const outside = Object.values(networkInterfaces())
    .flat()
    .find(({ internal, family }) => !internal && family === 'IPv4');
  if (!outside) return; // this machine has no address but loopback
  const server = createServer((socket) => socket.destroy());
  await new Promise((resolve) => {
    server.listen(0, outside.address, resolve);
  });
  const at = { host: outside.address, port: server.address().port };
  await assert.rejects(openTcp(at), UnsafeLink);
  (await openTcp({ ...at, plainSecrets: true })).close();
  server.close();
});

/** What a WebSocket does, as far as the transport knows it. */
class FakeWebSocket extends EventTarget {
  readyState = 0;
  sent = [];

  send(data) {
    this.sent.push(data);
  }

  close(code) {
    this.code = code;
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event('close'), { reason: '' }));
  }

  opens() {
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
  }

  comes(data) {
    this.dispatchEvent(Object.assign(new Event('message'), { data }));
  }
}

test('over a WebSocket each message is one text frame', async () => {
  const socket = new FakeWebSocket();
  const client = new AgentClient({ open: () => openWebSocket(socket), codec: 'json', identity: 'desk', secret: 'x' });
  const connected = client.connect();
  await new Promise(setImmediate);
  socket.opens();
  await new Promise(setImmediate);
  const bind = JSON.parse(socket.sent[0]);
  assert.deepEqual([bind.kind, bind.identity, socket.sent[0].endsWith('}')], ['Bind', 'desk', true]);
  socket.comes(JSON.stringify({ kind: 'BindReply', id: bind.id }, null, 2)); // lines within a message are space
  await connected;
  socket.comes('{"kind":"Ping","id":4}');
  socket.comes(new ArrayBuffer(4));
  socket.comes('');
  socket.comes('{"kind":"Ping","id":5}{"kind":"Ping","id":6}');
  socket.comes('{"kind":"Ping",\n"id":7}');
  socket.comes('{"kind":"Unbind","id":8,"detail":"a\nb"}');
  const answers = socket.sent
    .slice(1)
    .map((text) => JSON.parse(text))
    .map(({ kind, id, status }) => [kind, id, status]);
  assert.deepEqual(answers, [
    ['Pong', 4, undefined],
    ['Error', 0, 1],
    ['Error', 0, 1],
    ['Error', 0, 1],
    ['Pong', 7, undefined],
    ['Error', 0, 1],
  ]);
  const closed = client.close();
  const unbind = JSON.parse(socket.sent.at(-1));
  socket.comes(JSON.stringify({ kind: 'UnbindReply', id: unbind.id }));
  await closed;
  assert.equal(socket.code, 1000);
});

test('a WebSocket that does not open', async () => {
  const socket = new FakeWebSocket();
  const opening = openWebSocket(socket);
  socket.close();
  await assert.rejects(opening, { name: 'LinkLost' });
});
