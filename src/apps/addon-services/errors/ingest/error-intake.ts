/** What is done with an event, from the bytes of its JSON to its place in the store. */
import { randomBytes } from 'node:crypto';
import { TailraceError } from '../../../../common/errors.ts';
import type { JsonObject } from '../../../../common/json-object.ts';
import type { JsonLimits } from '../../../../common/limits/json-scanner.ts';
import { TokenBucket } from '../../../../common/limits/token-bucket.ts';
import { eventLoopTurns } from '../../../../common/limits/turns.ts';
import { cleanEvent } from '../event/clean-event.ts';
import { readEvent } from '../event/error-event.ts';
import { titleOf } from '../event/event-title.ts';
import { groupIdOf } from '../event/fingerprint.ts';
import type { AddedEvent } from '../store/error-state.ts';
import type { ErrorStore } from '../store/error-store.ts';
import { type EnvelopeItem, parseJson } from './envelope.ts';
import { SentryError } from './sentry-error.ts';

/** Sentry's own limit (https://develop.sentry.dev/sdk/data-model/envelopes/#size-limits). */
export const EVENT_BYTES_MAX = 1_048_576;
const EVENT_JSON_LIMITS: JsonLimits = { depth: 100, keys: 5_000, containers: 50_000 };

export interface EventRate {
  /** Events a second, in the long run. */
  readonly rate: number;
  /** Events at once, after a while without any. */
  readonly burst: number;
}

const EVENT_RATE: EventRate = { rate: 300, burst: 20_000 };
/** So long a client that sends more is told to wait. */
const RETRY_AFTER_S = 10;
/** What is counted by name; clients may send items of any name. */
const OTHER_ITEMS = [
  'transaction',
  'session',
  'sessions',
  'client_report',
  'attachment',
  'check_in',
  'log',
  'span',
  'profile',
  'profile_chunk',
  'replay_event',
  'replay_recording',
  'statsd',
  'trace_metric',
  'user_report',
  'feedback',
];

export interface IntakeEvents {
  /** It is on disk. */
  readonly onAdded: (added: AddedEvent) => void;
  /** The store takes nothing. */
  readonly onTrouble: (error: TailraceError) => void;
}

/** One for the service, for all ways in: the rate of events is limited for all of them together. */
export class ErrorIntake {
  private readonly store: ErrorStore;
  private readonly events: IntakeEvents;
  private readonly budget: TokenBucket;
  /** Since the service was started: items that are no errors, by type. */
  readonly droppedItems = new Map<string, number>();
  /** Since the service was started: events over the rate limit. */
  limitedEvents = 0;
  /** Since the service was started: for whatever reason. */
  refusedRequests = 0;

  constructor(store: ErrorStore, events: IntakeEvents, { rate, burst }: EventRate = EVENT_RATE) {
    this.budget = new TokenBucket(rate, performance.now(), burst);
    this.store = store;
    this.events = events;
  }

  /**
   * Takes the items of an envelope, one after the other. Resolves when its events are on disk.
   * @param envelopeId `event_id` of its header
   * @returns the id of the last event; undefined when there is none
   * @throws SentryError, also when some of them were taken: whoever sends it again has them counted once
   */
  async takeItems(
    items: readonly EnvelopeItem[],
    envelopeId: string | undefined,
  ): Promise<string | undefined> {
    const isEvent = ({ type }: EnvelopeItem): boolean => type === 'event' || type === 'error';
    const events = items.filter(isEvent);
    for (const item of items) if (!isEvent(item)) this.countDropped(item.type);
    const parsed: JsonObject[] = [];
    for (const [i, { payload }] of events.entries()) {
      // Others have their turn in between.
      if (i > 0) await eventLoopTurns.next();
      parsed.push(parseEvent(payload));
    }
    return this.take(parsed, envelopeId);
  }

  /** Takes events. As {@link takeItems}. */
  async take(events: readonly JsonObject[], idIfNone?: string): Promise<string | undefined> {
    this.requireBudget(events.length);
    let id: string | undefined;
    const adding: Promise<AddedEvent>[] = [];
    for (const [i, raw] of events.entries()) {
      if (i > 0) await eventLoopTurns.next();
      // As old SDKs sent it to `store`.
      if (raw.type === 'transaction') {
        this.countDropped(raw.type);
        continue;
      }
      const { event: cleaned, cut } = cleanEvent(raw);
      const event = readEvent(cleaned);
      // The envelope's is that of its only event.
      id = event.id ?? (i === 0 ? idIfNone : undefined) ?? randomBytes(16).toString('hex');
      const receivedAt = Date.now();
      const group = groupIdOf(event);
      const incoming = { group, id, event, title: titleOf(event), receivedAt };
      const stored = { receivedAt, cut, event: { ...cleaned, event_id: id } };
      const one = this.store.add(incoming, stored);
      // It may be refused before all of them are waited for.
      one.catch(() => undefined);
      adding.push(one);
    }
    const added = await Promise.allSettled(adding);
    for (const one of added) if (one.status === 'fulfilled') this.events.onAdded(one.value);
    const failed = added.find((one) => one.status === 'rejected');
    if (failed) {
      if (failed.reason instanceof TailraceError) this.events.onTrouble(failed.reason);
      throw asSentryError(failed.reason);
    }
    return id;
  }

  private requireBudget(events: number): void {
    if (this.budget.available(performance.now()) < 1 && events > 0) {
      this.limitedEvents += events;
      throw new SentryError(429, 'event rejected due to rate limit', RETRY_AFTER_S);
    }
    this.budget.take(events);
  }

  private countDropped(type: string): void {
    const name = OTHER_ITEMS.includes(type) ? type : 'other';
    this.droppedItems.set(name, (this.droppedItems.get(name) ?? 0) + 1);
  }
}

/** @throws SentryError */
export function parseEvent(bytes: Buffer): JsonObject {
  if (bytes.length > EVENT_BYTES_MAX)
    throw new SentryError(
      413,
      `event submission rejected with_reason: TooLarge, it is over ${EVENT_BYTES_MAX} bytes`,
    );
  return parseJson(bytes, EVENT_JSON_LIMITS, 'the event');
}

/** What the store, or the reading of a body, says. */
export function asSentryError(error: unknown): unknown {
  if (!(error instanceof TailraceError)) return error;
  return new SentryError(error.status, error.message, error.status === 503 ? RETRY_AFTER_S : undefined);
}
