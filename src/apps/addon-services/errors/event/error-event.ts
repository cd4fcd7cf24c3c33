/**
 * What an event of Sentry's protocol says, in one shape for all SDKs and versions of it
 * (https://develop.sentry.dev/sdk/data-model/event-payloads/; raven's `sentry.interfaces.*` are of the protocol's version 4 and before).
 */
import { isJsonObject, type JsonObject } from '../../../../common/json-object.ts';
import { arrayOf, memberOf, numberOf, textOf, valuesOf } from './json-access.ts';

export type ErrorLevel = 'fatal' | 'error' | 'warning' | 'info' | 'debug';

const LEVELS: ReadonlyMap<string, ErrorLevel> = new Map([
  ['fatal', 'fatal'],
  ['critical', 'fatal'],
  ['error', 'error'],
  ['warning', 'warning'],
  ['warn', 'warning'],
  ['info', 'info'],
  ['log', 'info'],
  ['debug', 'debug'],
  // Python's numbers, which raven sent.
  ['50', 'fatal'],
  ['40', 'error'],
  ['30', 'warning'],
  ['20', 'info'],
  ['10', 'debug'],
]);

/** One call; the innermost comes last. */
export interface StackFrame {
  readonly function: string | undefined;
  readonly module: string | undefined;
  readonly file: string | undefined;
  /** The whole path, where it is another than `file`. */
  readonly path: string | undefined;
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** The app's own code, not a library's. */
  readonly isInApp: boolean;
  readonly before: readonly string[];
  readonly source: string | undefined;
  readonly after: readonly string[];
  readonly vars: JsonObject | undefined;
}

/** The last of a chain is the one that was caught; those before it are its causes. */
export interface ExceptionInfo {
  readonly type: string;
  readonly value: string;
  readonly module: string | undefined;
  readonly isHandled: boolean | undefined;
  readonly mechanism: string | undefined;
  readonly frames: readonly StackFrame[];
}

export interface Breadcrumb {
  /** Milliseconds since 1970. */
  readonly atMs: number | undefined;
  readonly category: string;
  readonly level: ErrorLevel;
  readonly message: string;
  readonly data: JsonObject | undefined;
}

export interface ErrorEvent {
  /** 32 hexadecimal digits; undefined when the client gave none that can be read. */
  readonly id: string | undefined;
  /** By the client's clock; milliseconds since 1970. */
  readonly atMs: number | undefined;
  readonly level: ErrorLevel;
  readonly platform: string;
  readonly sdk: string;
  readonly logger: string | undefined;
  /** With its parameters filled in. */
  readonly message: string | undefined;
  /** Before they were. */
  readonly messageTemplate: string | undefined;
  readonly exceptions: readonly ExceptionInfo[];
  /** Of an event without an exception. */
  readonly frames: readonly StackFrame[];
  readonly transaction: string | undefined;
  readonly release: string | undefined;
  readonly environment: string | undefined;
  readonly serverName: string | undefined;
  /** What the client groups it by. */
  readonly fingerprint: readonly string[] | undefined;
  readonly tags: readonly (readonly [name: string, value: string])[];
  readonly breadcrumbs: readonly Breadcrumb[];
  readonly user: JsonObject | undefined;
  readonly request: JsonObject | undefined;
  readonly contexts: JsonObject | undefined;
  readonly extra: JsonObject | undefined;
}

/** Reads an event, whatever is in it. */
export function readEvent(event: JsonObject): ErrorEvent {
  const get = (key: string): unknown => memberOf(event, key);
  const exceptions = valuesOf(get('exception') ?? get('sentry.interfaces.Exception')).flatMap(readException);
  const logentry = get('logentry') ?? get('sentry.interfaces.Message') ?? get('message');
  const template = textOf(logentry) ?? textOf(memberOf(logentry, 'message'));
  const formatted = textOf(memberOf(logentry, 'formatted'));
  const user = get('user') ?? get('sentry.interfaces.User');
  const request = get('request') ?? get('sentry.interfaces.Http');
  const fingerprint = get('fingerprint');
  const sdk = get('sdk') ?? get('client_info');
  return {
    id: readEventId(get('event_id')),
    atMs: readTime(get('timestamp')),
    level: readLevel(get('level')) ?? 'error',
    platform: textOf(get('platform')) ?? 'other',
    sdk: [textOf(memberOf(sdk, 'name')), textOf(memberOf(sdk, 'version'))].filter(Boolean).join(' '),
    logger: textOf(get('logger')),
    message:
      formatted ??
      (template === undefined ? undefined : fillIn(template, arrayOf(memberOf(logentry, 'params')))),
    messageTemplate: template ?? formatted,
    exceptions,
    frames: readFrames(
      get('stacktrace') ?? get('sentry.interfaces.Stacktrace') ?? stackOfThread(get('threads')),
    ),
    transaction: textOf(get('transaction')) ?? textOf(get('culprit')),
    release: textOf(get('release')),
    environment: textOf(get('environment')),
    serverName: textOf(get('server_name')),
    fingerprint: Array.isArray(fingerprint)
      ? fingerprint.map((part) => textOf(part) ?? JSON.stringify(part))
      : undefined,
    tags: readTags(get('tags')),
    breadcrumbs: valuesOf(get('breadcrumbs') ?? get('sentry.interfaces.Breadcrumbs')).flatMap(readBreadcrumb),
    user: isJsonObject(user) ? user : undefined,
    request: isJsonObject(request) ? request : undefined,
    contexts: objectOf(get('contexts')),
    extra: objectOf(get('extra')),
  };
}

function readLevel(value: unknown): ErrorLevel | undefined {
  return LEVELS.get((textOf(value) ?? '').toLowerCase());
}

/** 32 hexadecimal digits of a UUID, with or without its dashes. */
export function readEventId(value: unknown): string | undefined {
  const id = typeof value === 'string' ? value.slice(0, 36).replaceAll('-', '').toLowerCase() : '';
  return /^[0-9a-f]{32}$/.test(id) ? id : undefined;
}

/** Seconds since 1970, or RFC 3339 (without an offset it is UTC), as milliseconds. */
export function readTime(value: unknown): number | undefined {
  const seconds = numberOf(value);
  const text = typeof value === 'string' ? value.slice(0, 40) : '';
  const ms =
    seconds === undefined
      ? Date.parse(/[zZ]$|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`)
      : seconds * 1_000;
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? Math.round(ms) : undefined;
}

/** Who is affected, as one text for counting. */
export function userKeyOf({ user }: ErrorEvent): string | undefined {
  for (const key of ['id', 'email', 'username', 'ip_address']) {
    const value = textOf(memberOf(user, key));
    if (value !== undefined) return `${key}:${value}`;
  }
  return undefined;
}

function readException(value: unknown): ExceptionInfo[] {
  if (!isJsonObject(value)) return [];
  const mechanism = memberOf(value, 'mechanism');
  const handled = memberOf(mechanism, 'handled');
  const type = textOf(memberOf(value, 'type'));
  const text = textOf(memberOf(value, 'value'));
  if (type === undefined && text === undefined && memberOf(value, 'stacktrace') === undefined) return [];
  return [
    {
      type: type ?? 'Error',
      value: text ?? '',
      module: textOf(memberOf(value, 'module')),
      isHandled: typeof handled === 'boolean' ? handled : undefined,
      mechanism: textOf(memberOf(mechanism, 'type')),
      frames: readFrames(memberOf(value, 'stacktrace')),
    },
  ];
}

function readFrames(stacktrace: unknown): StackFrame[] {
  return arrayOf(memberOf(stacktrace, 'frames')).flatMap((frame) => {
    if (!isJsonObject(frame)) return [];
    const get = (key: string): unknown => memberOf(frame, key);
    const path = textOf(get('abs_path'));
    const file = textOf(get('filename')) ?? path;
    return [
      {
        function: textOf(get('function')),
        module: textOf(get('module')),
        file,
        path: path === file ? undefined : path,
        line: numberOf(get('lineno')),
        column: numberOf(get('colno')),
        isInApp: get('in_app') === true,
        before: arrayOf(get('pre_context')).map((line) => textOf(line) ?? ''),
        source: typeof get('context_line') === 'string' ? (get('context_line') as string) : undefined,
        after: arrayOf(get('post_context')).map((line) => textOf(line) ?? ''),
        vars: objectOf(get('vars')),
      },
    ];
  });
}

/** Of the thread that crashed, or of the one that was running. */
function stackOfThread(threads: unknown): unknown {
  const all = valuesOf(threads);
  const thread =
    all.find((one) => memberOf(one, 'crashed') === true) ??
    all.find((one) => memberOf(one, 'current') === true);
  return memberOf(thread, 'stacktrace');
}

/** An object, or an array of pairs, or of `{key, value}`. */
function readTags(tags: unknown): (readonly [string, string])[] {
  const pairs = Array.isArray(tags)
    ? tags.map((tag: unknown) =>
        Array.isArray(tag) ? [tag[0], tag[1]] : [memberOf(tag, 'key'), memberOf(tag, 'value')],
      )
    : isJsonObject(tags)
      ? Object.entries(tags)
      : [];
  return pairs.flatMap(([name, value]) => {
    const [nameText, valueText] = [textOf(name), textOf(value)];
    return nameText === undefined || valueText === undefined ? [] : [[nameText, valueText] as const];
  });
}

function readBreadcrumb(value: unknown): Breadcrumb[] {
  if (!isJsonObject(value)) return [];
  return [
    {
      atMs: readTime(memberOf(value, 'timestamp')),
      category: textOf(memberOf(value, 'category')) ?? textOf(memberOf(value, 'type')) ?? '',
      level: readLevel(memberOf(value, 'level')) ?? 'info',
      message: textOf(memberOf(value, 'message')) ?? '',
      data: objectOf(memberOf(value, 'data')),
    },
  ];
}

/** A template's `%s` and `{}` with what belongs there, one after the other. */
function fillIn(template: string, params: readonly unknown[]): string {
  let next = 0;
  return params.length === 0
    ? template
    : template.replace(/%[sdirf]|\{\}/g, (place) =>
        next < params.length ? (textOf(params[next++]) ?? '') : place,
      );
}

function objectOf(value: unknown): JsonObject | undefined {
  return isJsonObject(value) ? value : undefined;
}
