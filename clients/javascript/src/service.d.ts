import type { Fields, FieldsGiven } from './codec.js';
import type { ConnectionOptions } from './connection.js';
import type { Within } from './hand-off.js';

/** A customer who is being served. */
export class ServedCall {
  private constructor();
  readonly serial: string;
  /** The customer's own number. */
  readonly callingNumber: string;
  readonly accessCode: string;
  readonly exchangeAddress: string;
  /** Known once the data was fetched. */
  readonly agent: string;
  readonly reference: string;
  /** The condition by which the exchange ended the call; null while it goes on. */
  readonly ended: number | null;
  /** Whether a final report was begun. */
  readonly reported: boolean;
  /** Aborted when the exchange ends the call, or the service stops. */
  readonly signal: AbortSignal;
  fetch(options?: Within): Promise<Fields>;
  onDataChanged(hears: (call: ServedCall) => unknown): void;
  /** The status: 0 kept, 40 kept while no agent is there, 43 it was kept at an earlier try. */
  progress(fields?: FieldsGiven, options?: Within): Promise<number>;
  complete(fields?: FieldsGiven, options?: Within): Promise<number>;
  fail(fields?: FieldsGiven, options?: Within): Promise<number>;
  abandoned(fields?: FieldsGiven, options?: Within): Promise<number>;
}

export interface ServiceOptions extends ConnectionOptions {
  /** Serves one customer; it should end with a final report. */
  handler: (call: ServedCall) => unknown;
  /** Access codes that are served here; all of them by default. */
  accessCodes?: readonly string[] | null;
  /** How many links to the exchange; 1 by default. */
  links?: number;
  /** How many customers may be served at the same time; 1,000 by default. */
  maxCalls?: number;
  /** What stands before the serial in the calling number; `**` by default. */
  separator?: string;
  /** For how long a report is repeated, in milliseconds; 600,000 by default. */
  reportWithin?: number;
  /** For how long the data are asked for, in milliseconds; 30,000 by default. */
  fetchWithin?: number;
}

/** An automatic service: takes calls over its links, many at the same time. */
export class AutomaticService {
  constructor(options: ServiceOptions);
  /** How many customers are being served. */
  readonly calls: number;
  start(options?: Within): Promise<void>;
  stop(options?: { finishWithin?: number }): Promise<void>;
}

/** The customer's number and the serial behind the separator; null as the serial where none stands there. */
export function splitCallingNumber(
  callingNumber: string,
  separator?: string,
): [callingNumber: string, serial: string | null];
