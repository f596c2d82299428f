/** What a link runs on. The link sets `ondata` and `onclose`. */
export interface Transport {
  /** Sends one whole frame. */
  write(frame: Uint8Array): void;
  /** Closes, once what was written is out. */
  close(): void;
  ondata: (bytes: Uint8Array) => void;
  onclose: (reason: string) => void;
}

export interface TcpOptions {
  host: string;
  port: number;
  /** true, or options of Node's `tls.connect`, such as `ca`, `cert` and `key`. */
  tls?: boolean | { [option: string]: unknown };
  /** Whether a secret may go over plain TCP beyond this machine. */
  plainSecrets?: boolean;
  /** In milliseconds. */
  timeout?: number;
}

/** Opens a link over TCP or TLS. */
export function openTcp(options: TcpOptions): Promise<Transport>;

/** A link over a socket of Node that is connected. */
export class TcpTransport implements Transport {
  constructor(socket: unknown);
  write(frame: Uint8Array): void;
  close(): void;
  ondata: (bytes: Uint8Array) => void;
  onclose: (reason: string) => void;
}
