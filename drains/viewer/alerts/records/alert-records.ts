/** What is kept of searches and alerts: shapes of records, and where they are. */
import type { AppId, Sequence } from '../../../../src/logs/store/contract.ts';

/** The scope of all records of alerts: what belongs together changes together. */
export const ALERTS_SCOPE = 'viewer-alerts';
export const SEARCH_PREFIX = 'search/';
export const ALERT_PREFIX = 'alert/';
/** What an alert has counted. */
export const STATE_PREFIX = 'state/';
/** Patterns that an alert has seen, in several records each. */
export const PATTERN_PREFIX = 'pattern/';
/** How far a stream was read. */
export const CURSOR_PREFIX = 'cursor/';
/** What fired, by time. */
export const EVENT_PREFIX = 'event/';

export interface SavedSearch {
  readonly id: string;
  readonly name: string;
  /** The group whose streams it looks at; undefined: all that its reader may see. */
  readonly group?: string;
  /** Streams, instead of all of the group's. */
  readonly streams?: readonly AppId[];
  readonly query: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export type AlertCondition =
  /** So many matches within so many minutes. */
  | { readonly kind: 'at-least'; readonly count: number; readonly minutes: number }
  /** No match for so many minutes. */
  | { readonly kind: 'none'; readonly minutes: number }
  /** A message whose pattern wasn't seen for so many days; in the first minutes every pattern is taken as known. */
  | { readonly kind: 'new-pattern'; readonly days: number; readonly learnMinutes: number };

export type WebhookForm = 'json' | 'papertrail' | 'slack' | 'ntfy';

export type Destination =
  | { readonly id: string; readonly kind: 'webhook'; readonly form: WebhookForm; readonly url: string }
  | { readonly id: string; readonly kind: 'pagerduty'; readonly routingKey: string; readonly url?: string }
  | { readonly id: string; readonly kind: 'email'; readonly to: readonly string[] };

export interface AlertRecord {
  readonly id: string;
  readonly name: string;
  readonly search: string;
  readonly condition: AlertCondition;
  /** A field (`source`, `dyno`, `app`, `user.id` …): each of its values is counted for itself. */
  readonly groupBy?: string;
  /** After a notification no other one of the same value for so many minutes: what comes meanwhile is counted in the next. */
  readonly cooldownMinutes: number;
  /** Is it told when it is over, too? */
  readonly notifyResolved: boolean;
  readonly enabled: boolean;
  /** Until then what fires goes into the history alone. ISO 8601. */
  readonly mutedUntil?: string;
  readonly destinations: readonly Destination[];
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A line in a notification. */
export interface SampleLine {
  readonly stream: AppId;
  readonly streamName: string;
  readonly position: Sequence;
  readonly receivedAtMs: number;
  readonly timestamp: string;
  readonly facility: number;
  readonly severity: number;
  readonly hostname: string;
  /** `app/web.1` */
  readonly program: string;
  /** Its beginning. */
  readonly message: string;
}

/** How a notification is on its way to one destination. */
export interface Delivery {
  readonly destination: string;
  readonly state: 'waiting' | 'sent' | 'failed';
  readonly attempts: number;
  /** Why the last attempt failed. */
  readonly error?: string;
  /** ISO 8601. */
  readonly at?: string;
}

export interface AlertEvent {
  /** Ordered by time; the same in every attempt to tell somebody. */
  readonly id: string;
  readonly kind: 'fired' | 'resolved' | 'test';
  readonly alert: { readonly id: string; readonly name: string };
  readonly search: Pick<SavedSearch, 'id' | 'name' | 'query' | 'group' | 'streams'>;
  readonly condition: AlertCondition;
  /** The value of the field that it is grouped by. */
  readonly value?: { readonly field: string; readonly value: string };
  /** Matches since the last notification, or in the window; patterns that are new. */
  readonly count: number;
  readonly patterns?: readonly string[];
  /** When the lines came that it is about, milliseconds since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
  /** How long of that nobody looked, since the viewer didn't run. */
  readonly unwatchedMs?: number;
  readonly samples: readonly SampleLine[];
  readonly muted?: boolean;
  readonly deliveries: readonly Delivery[];
}
