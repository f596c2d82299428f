import type { Fields, FieldsGiven, Integer } from './codec.js';

/** What happened to a call. */
export interface CallEvent {
  readonly sequence: Integer;
  readonly time: Date;
  readonly agent: string;
  readonly serial: string;
  readonly reference: string;
  /** As in `Condition`, or one that isn't known there. */
  readonly condition: number;
  readonly conditionText: string;
  /** Whether the service's part of the call ends with it. */
  readonly final: boolean;
  readonly status: number;
  readonly fields: Fields;
}

export interface Within {
  /** In milliseconds, lost links included. */
  timeout?: number;
}

/** One customer who was handed to an automatic service. */
export class HandOff {
  private constructor();
  readonly serial: string;
  readonly agent: string;
  readonly reference: string;
  readonly reply: { status: number; serial: string; retry_after: number; detail: string } | null;
  /** Resolves with the final event, whatever it says. */
  readonly result: Promise<CallEvent>;
  /** The final event; null while the call goes on. */
  readonly final: CallEvent | null;
  /** Every event of this call from the first one; ends behind the final one. */
  events(): AsyncGenerator<CallEvent, void, void>;
  cancel(options?: Within): Promise<void>;
  update(fields: FieldsGiven, options?: Within): Promise<void>;
}
