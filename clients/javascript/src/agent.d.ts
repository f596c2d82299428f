import type { Followed, MonitoredNumber } from './calls.js';
import type { FieldsGiven, Integer } from './codec.js';
import type { ConnectionOptions } from './connection.js';
import type { CallError } from './errors.js';
import type { CallEvent, HandOff, Within } from './hand-off.js';

export { Call, MonitoredNumber, SHOWN } from './calls.js';
export type {
  AgentStateShown,
  AgentStateWords,
  CallChanged,
  CallStanding,
  ConnectOptions,
  Followed,
  Party,
  Ring,
  UpdateOptions,
} from './calls.js';

/** How far an agent number's events were taken; digits, since both may be beyond what a number counts exactly. */
export interface Position {
  epoch: string;
  sequence: string;
}

/** Where the application keeps positions. */
export interface Positions {
  load(agent: string): Position | null | undefined | Promise<Position | null | undefined>;
  save(agent: string, position: Position): void | Promise<void>;
}

/** Keeps positions for as long as the program runs. */
export class MemoryPositions implements Positions {
  load(agent: string): Position | null;
  save(agent: string, position: Position): void;
}

export interface AgentOptions extends ConnectionOptions {
  positions?: Positions;
  /** Makes the serials of calls that name none: up to 20 digits, none of them twice. */
  newSerial?: () => string;
}

export interface LoginOptions extends Within, Followed {
  /**
   * Whether the calls and the state of the number are followed, where the exchange controls them: yes by default. Then no
   * events of condition 0 come that tell of a customer on the telephone.
   */
  calls?: boolean;
  /** Hears every event in order, the next one when it is done with the one before; then the event is acknowledged. */
  onEvent?: (event: CallEvent) => unknown;
  /** Events of the same numbering that can't be had any more. */
  onGap?: (gap: { agent: string; first: Integer; last: Integer }) => void;
  /** The exchange numbers anew: what was missed of the old numbering may be lost. */
  onNewEpoch?: (told: { agent: string; epoch: Integer; before: Position }) => void;
  /** Nothing more comes: another link took the number over (13), or the exchange refuses it. */
  onEnd?: (error: CallError) => void;
}

export interface MonitorOptions extends Within, Followed {
  /** Nothing more comes: the exchange refuses it on a new link. */
  onEnd?: (error: CallError) => void;
}

export interface CallOptions extends Within {
  agent: string;
  service: string;
  callingNumber?: string;
  /** The application's own name for the call. */
  reference?: string;
  fields?: FieldsGiven;
  /** An own serial by default. Empty: the exchange allocates one, and the request is never repeated. */
  serial?: string;
  onEvent?: (event: CallEvent) => unknown;
}

export interface OpenCall {
  serial: string;
  service: string;
  reference: string;
  /** As in `OpenCallState`. */
  state: number;
  since: Date;
}

/** An agent's application: one link to the exchange, any number of agent numbers on it. */
export class AgentClient {
  constructor(options: AgentOptions);
  readonly connected: boolean;
  connect(options?: Within): Promise<void>;
  close(): Promise<void>;
  login(agent: string, options?: LoginOptions): Promise<MonitoredNumber>;
  monitor(agent: string, options?: MonitorOptions): Promise<MonitoredNumber>;
  logout(agent: string, options?: Within): Promise<void>;
  connectCustomer(call: CallOptions): Promise<HandOff>;
  cancel(serial: string, options?: Within): Promise<void>;
  update(serial: string, fields: FieldsGiven, options?: Within): Promise<void>;
  openCalls(agent: string, options?: Within): Promise<{ calls: OpenCall[]; complete: boolean }>;
}

/** A serial of 19 random digits. */
export function newSerial(): string;
