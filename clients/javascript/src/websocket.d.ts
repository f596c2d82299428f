import type { Transport } from './transport.js';

/** What is needed of a WebSocket, as browsers have it. */
export interface WebSocketLike {
  readonly readyState: number;
  send(text: string): void;
  close(code?: number): void;
  addEventListener(type: string, listener: (event: any) => void): void;
}

/** A transport over this WebSocket, once it is open; use it with the JSON codec. */
export function openWebSocket(socket: WebSocketLike): Promise<Transport>;

export class WebSocketTransport implements Transport {
  constructor(socket: WebSocketLike);
  write(frame: Uint8Array): void;
  close(): void;
  ondata: (bytes: Uint8Array) => void;
  onclose: (reason: string) => void;
}
