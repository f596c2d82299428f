import type { Fields, FieldsGiven } from './codec.js';
import type { CtiexError } from './errors.js';
import type { CallEvent, HandOff, Within } from './hand-off.js';

/** As the `event` of a change that comes of a snapshot: nothing is known to have happened, but the call stands like this. */
export const SHOWN: 0;

/** One party of a call. */
export interface Party {
  /** Its own, the same as long as it is there. */
  readonly id: string;
  /** As in `PartyRole`. */
  readonly role: number;
  readonly number: string;
  /** The agent number; empty where it is no agent. */
  readonly agent: string;
  /** As in `ConnectionState`. */
  readonly state: number;
  /** What the agent there may ask for now; see `allows`. */
  readonly actions: number;
}

/** How a call stands. */
export interface CallStanding {
  /** The call serial number that the next hand-off of the call names; another one behind each. */
  readonly serial: string;
  /** Of a consultation: the id of the call that it is for. */
  readonly related: string;
  readonly queue: string;
  /** As in `Recording`. */
  readonly recording: number;
  readonly parties: readonly Party[];
  /** That of the data. */
  readonly version: number;
  readonly data: Fields;
}

/** What has happened to a call, and how it stood then. */
export interface CallChanged extends CallStanding {
  readonly agent: string;
  readonly time: Date;
  /** The id of the call. */
  readonly call: string;
  /** As in `CallChange`, `SHOWN`, or one that isn't known there. */
  readonly event: number;
  /** The same in words, for people. */
  readonly eventText: string;
  /** The cause value of ITU-T Q.850, or 0. */
  readonly cause: number;
  /** Of a failed action: why. */
  readonly status: number;
  /** Who has asked for it, where somebody has. */
  readonly by: string;
}

/** The state of an agent number. */
export interface AgentStateShown {
  readonly agent: string;
  readonly time: Date;
  /** As in `AgentStateCode`. */
  readonly state: number;
  readonly reason: string;
  readonly device: string;
  readonly since: Date;
  /** When it ends by itself; null: it doesn't. */
  readonly until: Date | null;
  /** What comes into force behind the calls; null: nothing does. */
  readonly pendingState: number | null;
  readonly pendingReason: string;
  readonly by: string;
  readonly queues: readonly string[];
}

/** Whom calls and states are told. */
export interface Followed {
  /** Hears what happens to each call, which stands so already. */
  onCall?: (call: Call, change: CallChanged) => unknown;
  onState?: (state: AgentStateShown) => unknown;
}

export interface Ring extends Within {
  /** How long the destination may ring, in seconds; 0, the default: as the exchange is configured. */
  ring?: number;
}

export interface AgentStateWords extends Within {
  /** Why not ready, or the wrap-up code: one of those that are configured. */
  reason?: string;
  /** At a login, where the agent is. */
  device?: string;
  /** At a login; those that are configured by default. */
  queues?: readonly string[];
  /** How long the after-call work may take; 0: as configured. */
  seconds?: number;
}

export interface UpdateOptions extends Within {
  /** Names of fields that are to go. */
  drop?: readonly string[];
  /** The version that the application has shown; then 22 rejects, and isn't asked again. */
  version?: number;
}

export interface ConnectOptions extends Within {
  /** The customer's, as the call says, by default. */
  callingNumber?: string;
  reference?: string;
  fields?: FieldsGiven;
  onEvent?: (event: CallEvent) => unknown;
}

/**
 * A call of an agent number: always as it was told last, and the same object for as long as it goes on. Its actions
 * resolve when they are begun, and are asked for once.
 */
export class Call implements CallStanding {
  private constructor();
  /** The same for the whole life of the call. */
  readonly id: string;
  readonly agent: string;
  readonly serial: string;
  readonly related: string;
  readonly queue: string;
  readonly recording: number;
  readonly parties: readonly Party[];
  readonly version: number;
  readonly data: Fields;
  /** Whether it has ended, or the agent has left it. */
  readonly over: boolean;
  /** The agent's own party; null where it isn't known yet, or has left. */
  readonly party: Party | null;
  readonly customer: Party | null;
  /** As in `ConnectionState`: that of the agent's own party. */
  readonly state: number | null;
  /** What may be asked for now, as in `Action`. */
  readonly actions: readonly number[];
  /** Whether this may be asked for now, as the exchange says. */
  allows(action: number): boolean;

  answer(options?: Within): Promise<void>;
  reject(options?: Within): Promise<void>;
  deflect(destination: string, options?: Ring): Promise<void>;
  hold(options?: Within): Promise<void>;
  retrieve(options?: Within): Promise<void>;
  /** Resolves with the consultation, a call of its own. */
  consult(destination: string, fields?: FieldsGiven, options?: Ring): Promise<Call>;
  alternate(options?: Within): Promise<void>;
  reconnect(options?: Within): Promise<void>;
  /** To who was consulted; with a destination: there at once (blind). */
  transfer(destination?: string, fields?: FieldsGiven, options?: Ring): Promise<void>;
  conference(options?: Within): Promise<void>;
  add(destination: string, options?: Ring): Promise<void>;
  drop(party: Party | string, options?: Within): Promise<void>;
  leave(options?: Within): Promise<void>;
  clear(options?: Within): Promise<void>;
  digits(digits: string, options?: Within): Promise<void>;
  record(options?: Within): Promise<void>;
  pause(options?: Within): Promise<void>;
  resume(options?: Within): Promise<void>;
  stop(options?: Within): Promise<void>;
  mark(word: string, options?: Within): Promise<void>;

  /** For supervisors, at the phone of an agent number of their own. */
  listen(device: string, options?: Within): Promise<void>;
  whisper(device: string, options?: Within): Promise<void>;
  barge(device: string, options?: Within): Promise<void>;
  intercept(device: string, options?: Within): Promise<void>;
  stopSupervision(device?: string, options?: Within): Promise<void>;

  /** Puts fields over the data, and takes some out; again with the newest version where somebody else was first (22). */
  update(fields: FieldsGiven, options?: UpdateOptions): Promise<void>;
  /** Hands the customer over to a service, under the call's serial. */
  connect(service: string, options?: ConnectOptions): Promise<HandOff>;
  /**
   * Waits for a change (`CallChange`), or one of several, behind what was asked for last. Rejects with the status of what
   * has failed, with 60 once the call is over, and with `LinkLost`.
   */
  until(change: number | readonly number[], options?: Within): Promise<CallChanged>;
}

/** An agent number whose calls and state are followed, through every loss of the link. */
export class MonitoredNumber {
  private constructor();
  readonly number: string;
  /** The calls that go on, by id, the oldest first: it changes as they do. */
  readonly calls: ReadonlyMap<string, Call>;
  /** As it was told last; null before that. */
  readonly state: AgentStateShown | null;
  /** Whether calls and state are told now; else they are as they were when the link was lost. */
  readonly upToDate: boolean;
  /** Why nothing is told any more; null while it is. */
  readonly ended: CtiexError | null;
  makeCall(destination: string, fields?: FieldsGiven, options?: Ring): Promise<Call>;
  /** Asks for a state, as in `AgentStateCode`; during a call it is remembered until that is over. */
  setState(state: number, options?: AgentStateWords): Promise<void>;
  /** Waits until the agent is in this state, or one of several; lost links are waited out. */
  untilState(state: number | readonly number[], options?: Within): Promise<AgentStateShown>;
  /** Is told no longer. */
  stop(options?: Within): Promise<void>;
}
