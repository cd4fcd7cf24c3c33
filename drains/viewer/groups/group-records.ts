/** What is stored of groups and streams, as records in the scope of no stream: a change there makes the router look up tokens anew. */
import type { AppId } from '../../../src/logs/store/contract.ts';

/** Streams that belong together: an environment, a team, a product. Its token is for senders that aren't known by a token of their own. */
export interface GroupRecord {
  readonly id: string;
  readonly name: string;
  readonly token: string;
  /** Takes what comes with the group's token and names no other stream. */
  readonly defaultStream: AppId;
  readonly createdAt: string;
}

/**
 * One sender's lines, under the key of an app of the log router, which finds names there (`app/ID`). Its token keeps the sources that lines
 * come with.
 */
export interface LogStreamRecord {
  readonly id: AppId;
  /** Small, never given anew: positions in many streams are written with it. */
  readonly number: number;
  readonly name: string;
  readonly group: string;
  readonly token: string;
  /** `Logplex-Drain-Token` of the drain that it was made for. */
  readonly drainToken?: string;
  /** The name that its sender gives (`?stream=`), which stays when it is renamed here. */
  readonly senderName?: string;
  readonly createdAt: string;
}

export const GROUP_PREFIX = 'group/';
export const STREAM_PREFIX = 'app/';
/** Streams that were removed, and whose lines may be there still. */
export const REMOVED_PREFIX = 'removed-stream/';
/** Holds the number of the next stream. */
export const NUMBER_KEY = 'next-stream-number';

/** Key of a group's record. */
export function groupKey(id: string): string {
  return `${GROUP_PREFIX}${id}`;
}

/** Key of a stream's record. */
export function streamKey(id: string): string {
  return `${STREAM_PREFIX}${id}`;
}
