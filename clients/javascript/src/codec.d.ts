import type { CodecError } from './errors.js';

/** A decimal number, kept as it was written: `12.50` stays `12.50`. */
export class Decimal {
  /** 1 to 18 digits, and maybe a point and 1 to 9 digits behind it. */
  constructor(written: string | number);
  readonly text: string;
  toString(): string;
  toJSON(): string;
  equals(other: unknown): boolean;
}

/** An integer: a number while that is exact, else a bigint. */
export type Integer = number | bigint;
/** The six types of a field: text, integer of 64 bits, boolean, bytes, decimal, time to the millisecond. */
export type FieldValue = string | Integer | boolean | Uint8Array | Decimal | Date;
/** Channel associated data, in order. */
export type Fields = Map<string, FieldValue>;
/** Fields to be sent; a plain object will do. */
export type FieldsGiven = Map<string, FieldValue> | { readonly [name: string]: FieldValue };

export interface OpenCallRecord {
  serial: string;
  service: string;
  reference: string;
  state: number;
  since: Integer;
}

/** One party of a call. */
export interface CallPartyRecord {
  id: string;
  /** As in `PartyRole`. */
  party_role: number;
  number: string;
  agent: string;
  /** As in `ConnectionState`. */
  connection_state: number;
  /** What the agent there may ask for now: the bit n stands for the `Action` n; see `allows`. */
  actions: number;
}

/** How a call stands. */
export interface CallAsItStands {
  call: string;
  serial: string;
  related: string;
  queue: string;
  /** As in `Recording`. */
  recording: number;
  parties: CallPartyRecord[];
  version: number;
  fields: FieldsGiven;
}

/** The attributes of each message, named as the documents of the wire name them. */
export interface Messages {
  Bind: {
    role: number;
    identity: string;
    secret: string;
    min_version: number;
    max_version: number;
    software: string;
    features: string;
  };
  BindReply: {
    status: number;
    version: number;
    session: string;
    heartbeat_s: number;
    max_frame: number;
    max_in_flight: number;
    exchange_address: string;
    features: string;
    detail: string;
  };
  Unbind: { status: number; detail: string };
  UnbindReply: {};
  Ping: {};
  Pong: {};
  Error: { status: number; about: number; detail: string };
  AgentLogin: { agent: string; epoch: Integer; resume_after: Integer };
  AgentLoginReply: {
    status: number;
    epoch: Integer;
    first_sequence: Integer;
    last_sequence: Integer;
    detail: string;
  };
  AgentLogout: { agent: string };
  AgentLogoutReply: { status: number };
  ConnectRequest: {
    serial: string;
    agent: string;
    service: string;
    calling_number: string;
    reference: string;
    fields: FieldsGiven;
  };
  ConnectReply: { status: number; serial: string; retry_after: number; detail: string };
  CancelRequest: { serial: string };
  CancelReply: { status: number; serial: string; detail: string };
  AgentEvent: {
    sequence: Integer;
    time: Integer;
    agent: string;
    serial: string;
    reference: string;
    condition: number;
    status: number;
    fields: FieldsGiven;
  };
  AgentEventAck: { agent: string; sequence: Integer };
  CallQuery: { agent: string };
  CallQueryReply: { status: number; calls: OpenCallRecord[] };
  UpdateRequest: { serial: string; fields: FieldsGiven };
  UpdateReply: { status: number; serial: string; detail: string };
  Connection: { access_code: string; calling_number: string; exchange_address: string };
  ConnectionReply: { status: number; detail: string };
  DataRequest: { serial: string; exchange_address: string };
  DataResult: { status: number; serial: string; agent: string; reference: string; fields: FieldsGiven };
  ServiceEvent: { event_id: Integer; serial: string; agent: string; condition: number; fields: FieldsGiven };
  ServiceEventReply: { event_id: Integer; status: number };
  CallEnded: { serial: string; condition: number };
  CallEndedReply: {};
  DataChanged: { serial: string };
  DataChangedReply: {};
  Monitor: { agent: string; mode: number };
  MonitorReply: { status: number; detail: string };
  AgentState: {
    agent: string;
    /** As in `AgentStateCode`; one of the first four. */
    agent_state: number;
    reason: string;
    device: string;
    queues: string;
    seconds: number;
  };
  AgentStateReply: { status: number; detail: string };
  CallControl: {
    /** As in `Action`. */
    action: number;
    agent: string;
    call: string;
    other: string;
    destination: string;
    value: string;
    seconds: number;
    fields: FieldsGiven;
  };
  CallControlReply: { status: number; call: string; serial: string; detail: string };
  CallData: { agent: string; call: string; version: number; fields: FieldsGiven; drop: { name: string }[] };
  CallDataReply: { status: number; version: number; fields: FieldsGiven; detail: string };
  AgentStateEvent: {
    agent: string;
    time: Integer;
    /** As in `AgentStateCode`. */
    agent_state: number;
    reason: string;
    device: string;
    since: Integer;
    until: Integer;
    /** As in `AgentStateCode`. */
    pending_state: number;
    pending_reason: string;
    by: string;
    queues: string;
  };
  CallEvent: {
    agent: string;
    time: Integer;
    /** As in `CallChange`; one that isn't there is a change of the call like any other. */
    event: number;
    cause: number;
    status: number;
    by: string;
  } & CallAsItStands;
  Snapshot: {
    agent: string;
    time: Integer;
    /** As in `Page`. */
    page: number;
  } & CallAsItStands;
}

export type Kind = keyof Messages;
/** A message to be written: attributes that have a default may be left out. */
export type MessageGiven = { [K in Kind]: { kind: K } & Partial<Messages[K]> }[Kind];
/** A message that was read: every attribute is there, and fields are a Map. */
export type Message = {
  [K in Kind]: { kind: K } & { [A in keyof Messages[K]]: Messages[K][A] extends FieldsGiven ? Fields : Messages[K][A] };
}[Kind];

/** What may stand behind any message: a type of 16 bits, those from 0x8000 on are for private use. */
export interface Extension {
  type: number;
  value: Uint8Array;
}

/** One frame off the wire, its body not decoded yet. */
export interface Frame {
  /** The number of its kind; 0 where a line names none. */
  readonly code: number;
  readonly invokeId: number;
  /** What is wrong with the frame itself; then only the invoke id and the kind mean something. */
  readonly fault: CodecError | null;
}

export interface Decoder {
  /** The limit on a frame's length, in bytes; it may be set between two frames. */
  maxFrame: number;
  receive(bytes: Uint8Array): void;
  /** The next complete frame, or null. Throws a CodecError for what ends the link. */
  next(): Frame | null;
}

export interface Codec {
  readonly name: string;
  decoder(maxFrame?: number): Decoder;
  /** The message of a frame; throws a CodecError. */
  decode(frame: Frame): { message: Message; extensions: Extension[] };
  /** A message as one whole frame; throws a CodecError. */
  encode(message: MessageGiven, invokeId?: number, extensions?: Extension[]): Uint8Array;
  /** What the limit of a link counts of a whole frame, in bytes. */
  lengthOf(frame: Uint8Array): number;
}

export class BinaryCodec implements Codec {
  readonly name: string;
  decoder(maxFrame?: number): Decoder;
  decode(frame: Frame): { message: Message; extensions: Extension[] };
  encode(message: MessageGiven, invokeId?: number, extensions?: Extension[]): Uint8Array;
  lengthOf(frame: Uint8Array): number;
}

export class JsonCodec implements Codec {
  readonly name: string;
  decoder(maxFrame?: number): Decoder;
  decode(frame: Frame): { message: Message; extensions: Extension[] };
  encode(message: MessageGiven, invokeId?: number, extensions?: Extension[]): Uint8Array;
  lengthOf(frame: Uint8Array): number;
}

export type CodecName = 'binary' | 'json';
export function codecOf(codec?: CodecName | Codec): Codec;

/** The declaration of one message: its kind's number, its name, its attributes in order. */
export interface Declaration {
  readonly code: number;
  readonly name: Kind;
  readonly form: 'request' | 'reply' | 'notice' | 'error';
  readonly sender: 'client' | 'exchange' | 'both';
  readonly on: 'agent' | 'service' | 'both';
  readonly attributes: ReadonlyArray<readonly [name: string, type: unknown]>;
}

export const MESSAGES: readonly Declaration[];
export const VERSION: 2;
export const DEFAULT_MAX_FRAME: number;
/** The name of the reply that answers a request. */
export function replyTo(request: Kind): Kind;

export { CodecError } from './errors.js';
