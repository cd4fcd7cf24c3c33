/**
 * The names of all keys in Redis. Whatever has to change together shares a hash tag (`{…}`), and so lives in one slot
 * of a cluster: an app's stream by the app's id, a scope's records by the scope.
 */
import type { AppId } from '../contract.ts';

const PREFIX = 'tailrace';

/** The keys of an app's stream. */
export interface StreamKeys {
  /** The batches. */
  readonly lines: string;
  /** Their headers alone. */
  readonly index: string;
  readonly state: string;
  /** Ids of frames that were stored, two generations. */
  readonly frameIds: readonly [string, string];
}

/** The keys of an app's stream, all in one slot of a Cluster. */
export function streamKeys(app: AppId): StreamKeys {
  const base = `${PREFIX}:{${app}}`;
  return {
    lines: `${base}:lines`,
    index: `${base}:index`,
    state: `${base}:state`,
    frameIds: [`${base}:frames:0`, `${base}:frames:1`],
  };
}

/** Finds the index of every stream (`SCAN`). */
export const STREAM_INDEX_PATTERN = `${PREFIX}:{*}:index`;

/** The app whose stream has this index. */
export function appOfIndexKey(key: string): AppId {
  return key.slice(`${PREFIX}:{`.length, -'}:index'.length) as AppId;
}

/** Held by the router that removes what is too old. */
export const SWEEP_KEY = `${PREFIX}:{platform}:sweep`;
/** The same, of streams whose age is set for them alone. */
export const OWN_AGES_SWEEP_KEY = `${PREFIX}:{platform}:sweep-own`;

/** What the names of channels of append notifications begin with; the app follows. */
export const APPEND_CHANNELS = `${PREFIX}:wake:`;

/** The channel on which appends to an app's stream are notified. */
export function appendChannel(app: AppId): string {
  return APPEND_CHANNELS + app;
}

/** The app whose appends are notified through a channel. */
export function appOfChannel(channel: string): AppId {
  return channel.slice(APPEND_CHANNELS.length) as AppId;
}

/** The channel on which changes of records are notified. */
export const RECORDS_CHANNEL = `${PREFIX}:records`;

/** The keys of a scope's records. */
export interface RecordKeys {
  readonly values: string;
  readonly keys: string;
  readonly revision: string;
  /** `<app>/<key>` of each record that belongs to an app; in the scope of no app alone. */
  readonly byApp: string;
  /** The revision for which `byApp` is right: routers of earlier versions don't keep it. */
  readonly byAppRevision: string;
}

/** @param scope an app's id, or '' for the scope of no app */
export function recordKeys(scope: string): RecordKeys {
  const base = `${PREFIX}:{${scope === '' ? 'platform' : scope}}`;
  return {
    values: `${base}:records`,
    keys: `${base}:record-keys`,
    revision: `${base}:revision`,
    byApp: `${base}:records-by-app`,
    byAppRevision: `${base}:records-by-app-revision`,
  };
}

/** A lease is alone in its slot. */
export function leaseKey(name: string): string {
  return `${PREFIX}:lease:{${name}}`;
}

/** Holds the version of the format of everything else. */
export const STORE_FORMAT_KEY = `${PREFIX}:{platform}:format`;
export const STORE_FORMAT = '1';
/** Lines were deleted from streams: there are entries without any, which earlier versions don't know. */
export const STORE_FORMAT_ERASED = '2';

/** Holds a random id of the data: another one, or none, says that it was removed. */
export const STORE_ID_KEY = `${PREFIX}:{platform}:id`;

/** Written to find out whether Redis accepts writes. */
export const WRITE_PROBE_KEY = `${PREFIX}:{platform}:probe`;

/** Written to find out what the user may do: a stream, a hash, a sorted set, a string; and a channel that nobody listens to. */
export function probeKeys(): readonly string[] {
  return ['stream', 'hash', 'set', 'text'].map((kind) => `${WRITE_PROBE_KEY}:${kind}`);
}

export const PROBE_CHANNEL = `${PREFIX}:probe`;
