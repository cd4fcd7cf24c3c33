/** Reads what somebody wants of a search or an alert, and shows it without its secrets. */

import { randomUUID } from 'node:crypto';
import { isIP } from 'node:net';
import { reasonOf, TailraceError } from '../../../../src/common/errors.ts';
import { scalarText } from '../../../../src/common/json-object.ts';
import { parseTime } from '../../../../src/common/time-expression.ts';
import { parseDrainUrl, URL_LENGTH_MAX } from '../../../../src/logs/drains/options/drain-record.ts';
import { prepareQuery } from '../../../../src/logs/query/query-matcher.ts';
import type { AlertCondition, AlertRecord, Destination, WebhookForm } from './alert-records.ts';
import { isMailAddress } from './mail-address.ts';

const NAME_MAX = 100;
const COUNT_MAX = 1_000_000_000;
/** 31 days: a job that runs once a month. */
const MINUTES_MAX = 31 * 24 * 60 + 24 * 60;
const DAYS_MAX = 365;
const FIELD_MAX = 100;
const DESTINATIONS_MAX = 10;
const RECIPIENTS_MAX = 20;
const FORMS: readonly WebhookForm[] = ['json', 'papertrail', 'slack', 'ntfy'];
const DAY_MS = 86_400_000;
const DEFAULT_COOLDOWN_MINUTES = 10;
const DEFAULT_LEARN_MINUTES = 60;

type Given = Readonly<Record<string, unknown>>;

/** @throws TailraceError `invalid_params` */
export function readName(name: string, what: string): string {
  const clean = name.trim();
  if (clean === '' || clean.length > NAME_MAX || /\p{C}/u.test(clean))
    throw invalid(`The name of ${what} must have 1 to ${NAME_MAX} characters that can be seen.`);
  return clean;
}

/** A query that can be kept. @throws TailraceError `invalid_params` with the place of a fault */
export function readSavedQuery(text: string): string {
  prepareQuery(text);
  return text.trim();
}

/** @throws TailraceError `invalid_params` for a query that an alert can't be on */
export function assertAlertQuery(text: string): void {
  const { since, until } = prepareQuery(text);
  if (since !== undefined || until !== undefined)
    throw invalid('An alert looks at what comes: take `since:` and `until:` out of its search.');
}

/** Why an alert can't be on a query that is kept already; undefined when it can. */
export function queryFault(text: string): string | undefined {
  try {
    assertAlertQuery(text);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** What may be given of an alert, besides its search. */
export interface AlertInput {
  readonly name?: string;
  readonly condition?: Given;
  readonly group_by?: string;
  readonly cooldown_minutes?: number;
  readonly notify_resolved?: boolean;
  readonly enabled?: boolean;
  readonly muted_until?: string;
  readonly destinations?: readonly unknown[];
}

type AlertSettings = Omit<AlertRecord, 'id' | 'search' | 'createdAt' | 'updatedAt'>;

/**
 * Reads the settings of an alert; what isn't given stays as it was.
 * @param before the alert that is changed; undefined for a new one
 * @throws TailraceError `invalid_params` with the field, and what it may be
 */
export function readAlert(input: AlertInput, before: AlertSettings | undefined): AlertSettings {
  const { name, condition, group_by, cooldown_minutes, notify_resolved, enabled, muted_until, destinations } =
    input;
  if (condition === undefined && !before)
    throw invalid('condition must be given: {"kind": "at-least", "count": 1, "minutes": 10}, for example.');
  const read = condition === undefined ? (before as AlertSettings).condition : readCondition(condition);
  const groupBy = group_by === undefined ? before?.groupBy : readField(group_by);
  if (groupBy !== undefined && read.kind === 'new-pattern')
    throw invalid("An alert on new patterns can't be grouped: leave group_by out.");
  const muted = muted_until === undefined ? before?.mutedUntil : readMutedUntil(muted_until);
  return {
    name: name === undefined ? (before?.name ?? '') : readName(name, 'an alert'),
    condition: read,
    ...(groupBy !== undefined && { groupBy }),
    cooldownMinutes:
      cooldown_minutes === undefined
        ? (before?.cooldownMinutes ?? DEFAULT_COOLDOWN_MINUTES)
        : readNumber('cooldown_minutes', cooldown_minutes, 0, MINUTES_MAX),
    notifyResolved: notify_resolved ?? before?.notifyResolved ?? false,
    enabled: enabled ?? before?.enabled ?? true,
    ...(muted !== undefined && { mutedUntil: muted }),
    destinations:
      destinations === undefined
        ? (before?.destinations ?? [])
        : readDestinations(destinations, before?.destinations ?? []),
  };
}

function readCondition(given: Given): AlertCondition {
  const number = (name: string, min: number, max: number, fallback?: number): number =>
    readNumber(`condition.${name}`, given[name] ?? fallback, min, max);
  const allow = (...names: string[]): void => {
    const unknown = Object.keys(given).find(
      (name) => name !== 'kind' && name !== 'text' && !names.includes(name),
    );
    if (unknown !== undefined)
      throw invalid(
        `condition.${unknown.slice(0, 40)} doesn't belong to ${given.kind}: it has ${names.join(', ')}.`,
      );
  };
  switch (given.kind) {
    case 'at-least':
      allow('count', 'minutes');
      return {
        kind: 'at-least',
        count: whole('condition.count', number('count', 1, COUNT_MAX)),
        minutes: number('minutes', 1 / 60, MINUTES_MAX),
      };
    case 'none':
      allow('minutes');
      return { kind: 'none', minutes: number('minutes', 1, MINUTES_MAX) };
    case 'new-pattern':
      allow('days', 'learn_minutes');
      return {
        kind: 'new-pattern',
        days: number('days', 1, DAYS_MAX),
        learnMinutes: number('learn_minutes', 0, MINUTES_MAX, DEFAULT_LEARN_MINUTES),
      };
    default:
      throw invalid('condition.kind must be at-least, none or new-pattern.');
  }
}

function readNumber(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !(value >= min && value <= max))
    throw invalid(`${name} must be a number from ${min < 1 && min > 0 ? '1/60' : min} to ${max}.`);
  return value;
}

function whole(name: string, value: number): number {
  if (!Number.isInteger(value)) throw invalid(`${name} must be a whole number.`);
  return value;
}

/** '' for none. */
function readField(text: string): string | undefined {
  const field = text.trim();
  if (field.length > FIELD_MAX || /[\s\p{C}]/u.test(field))
    throw invalid(
      `group_by must be the name of a field, such as app, dyno or user.id, of up to ${FIELD_MAX} characters.`,
    );
  return field === '' ? undefined : field;
}

/** '' for not at all. */
function readMutedUntil(text: string): string | undefined {
  if (text === '') return undefined;
  const nowMs = Date.now();
  const ms = parseTime(text, nowMs);
  // `2h` is how long ago something was, and 18:00 may have been yesterday.
  if (ms === undefined || ms !== parseTime(text, nowMs + 2.5 * DAY_MS))
    throw invalid('muted_until must be a time such as 2026-01-31T12:00:00Z, or empty.');
  return new Date(ms).toISOString();
}

function readDestinations(given: readonly unknown[], before: readonly Destination[]): Destination[] {
  if (given.length > DESTINATIONS_MAX)
    throw invalid(`An alert may have ${DESTINATIONS_MAX} destinations at the most.`);
  const read = given.map((one) => {
    if (typeof one !== 'object' || one === null || Array.isArray(one))
      throw invalid('Each destination must be an object with a kind: webhook, pagerduty or email.');
    return readDestination(one as Given, before);
  });
  if (new Set(read.map(({ id }) => id)).size !== read.length)
    throw invalid('Two destinations have the same id.');
  return read;
}

/** A secret that isn't given, or is given as it is shown, stays as it was. */
function readDestination(given: Given, all: readonly Destination[]): Destination {
  const before = all.find(({ id }) => id === given.id);
  if (given.id !== undefined && !before)
    throw invalid(
      `There is no destination with the id ${JSON.stringify((scalarText(given.id) ?? '').slice(0, 40))}: leave the id of a new one out.`,
    );
  const id = before?.id ?? randomUUID();
  switch (given.kind ?? before?.kind) {
    case 'webhook': {
      const old = before?.kind === 'webhook' ? before : undefined;
      const form = FORMS.find((one) => one === (given.form ?? old?.form ?? 'json'));
      if (!form) throw invalid(`form must be one of ${FORMS.join(', ')}.`);
      const isSame = old && (given.url === undefined || given.url === shownUrl(old.url));
      // Not every form takes every address.
      return { id, kind: 'webhook', form, url: readUrl(isSame ? old.url : given.url, form) };
    }
    case 'pagerduty': {
      const old = before?.kind === 'pagerduty' ? before : undefined;
      const isSame =
        old && (given.routing_key === undefined || given.routing_key === shownKey(old.routingKey));
      const routingKey = isSame ? old.routingKey : given.routing_key;
      if (typeof routingKey !== 'string' || !/^[\w-]{8,64}$/.test(routingKey))
        throw invalid('routing_key must be the integration key of a PagerDuty service (Events API v2).');
      const isSameUrl =
        given.url === undefined || given.url === null || (old?.url && given.url === shownUrl(old.url));
      const url = isSameUrl ? old?.url : readUrl(given.url, 'json');
      if (isSame && url !== old.url)
        throw invalid(
          'A key is sent to no other address than it was given for: give routing_key with the new url.',
        );
      return { id, kind: 'pagerduty', routingKey, ...(url !== undefined && { url }) };
    }
    case 'email': {
      const to = given.to ?? (before?.kind === 'email' ? before.to : undefined);
      return { id, kind: 'email', to: readRecipients(to) };
    }
    default:
      throw invalid('kind of a destination must be webhook, pagerduty or email.');
  }
}

function readUrl(value: unknown, form: WebhookForm): string {
  if (typeof value !== 'string') throw invalid('url of a destination must be an address: https://host/path.');
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url && url.protocol !== 'https:' && url.protocol !== 'http:')
    throw invalid('url of a destination must begin with https:// or http://.');
  if (!url || url.port === '0' || value.length > URL_LENGTH_MAX || !isDecodable(url))
    throw invalid(
      `url of a destination must be an address of up to ${URL_LENGTH_MAX} characters: https://host/path.`,
    );
  if (form === 'ntfy' && !/^[\w-]{1,64}$/.test(url.pathname.split('/').at(-1) ?? ''))
    throw invalid(
      'url of an ntfy destination must end with its topic, of letters, digits, - and _: https://ntfy.sh/topic.',
    );
  return value;
}

/** Are a name and a password in it written as they have to be in an address? */
function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

function readRecipients(value: unknown): readonly string[] {
  const all: readonly unknown[] =
    typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [];
  if (all.length === 0 || all.length > RECIPIENTS_MAX)
    throw invalid(`to must be a list of 1 to ${RECIPIENTS_MAX} mail addresses.`);
  return all.map((one) => {
    const address = typeof one === 'string' ? one.trim() : '';
    if (!isMailAddress(address))
      throw invalid(`${JSON.stringify(address.slice(0, 80))} is no mail address: write name@example.com.`);
    return address;
  });
}

/** What there is to see of a destination: its secrets aren't shown again. */
export function destinationView(destination: Destination): object {
  switch (destination.kind) {
    case 'webhook':
      return { ...destination, url: shownUrl(destination.url) };
    case 'pagerduty': {
      const { id, kind, routingKey, url } = destination;
      return {
        id,
        kind,
        routing_key: shownKey(routingKey),
        ...(url !== undefined && { url: shownUrl(url) }),
      };
    }
    case 'email':
      return destination;
  }
}

/** Host alone: paths of webhooks are secrets. */
function shownUrl(text: string): string {
  const { protocol, host, pathname, search } = new URL(text);
  return `${protocol}//${host}/${pathname.length + search.length > 1 ? '****' : ''}`;
}

function shownKey(key: string): string {
  return `****${key.slice(-4)}`;
}

/** Hosts that a destination is at, to be held against the rule of addresses. */
export function hostsOf(destinations: readonly Destination[]): string[] {
  return destinations
    .flatMap((one) => (one.kind === 'email' || one.url === undefined ? [] : [parseDrainUrl(one.url).host]))
    .filter((host) => host !== '' || isIP(host) > 0);
}

function invalid(message: string): TailraceError {
  return new TailraceError('invalid_params', message);
}
