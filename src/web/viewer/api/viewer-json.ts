/** What the viewer's server answers with. */
import type { LineJson } from '../../stream/line.ts';

export type RoleName = 'owner' | 'member' | 'reader';

export interface SessionJson {
  readonly user: {
    readonly email: string;
    /** In all groups; without it, in those of `groups` alone. */
    readonly role?: RoleName;
    readonly groups?: Readonly<Record<string, RoleName>>;
  };
  /** Of every request that changes something. */
  readonly csrf: string;
  /** Another server has signed in: there is no password, and no signing out. */
  readonly external?: boolean;
}

export interface StreamJson {
  readonly id: string;
  readonly name: string;
  readonly lines: number;
  readonly bytes: number;
  readonly firstAt: string | null;
  readonly lastAt: string | null;
}

export interface StreamGroupJson {
  readonly id: string;
  readonly name: string;
  readonly streams: readonly StreamJson[];
}

export interface ViewerLineJson extends LineJson {
  /** The id of the line's stream. */
  readonly stream: string;
}

export interface SearchJson {
  readonly lines: readonly ViewerLineJson[];
  /** Where to go on; missing when there is nothing more. */
  readonly before?: string;
  readonly after?: string;
  /** For the tail: it goes on behind what this search, and its older pages, find. */
  readonly tail?: string;
  /** Until what time was looked, when the search has ended early. */
  readonly searchedTo?: string;
}

export interface CountsJson {
  /** Seconds. */
  readonly step: number;
  readonly buckets: readonly {
    /** Milliseconds since 1970. */
    readonly start: number;
    readonly error: number;
    readonly warning: number;
    readonly other: number;
  }[];
}

export interface ValuesJson {
  readonly values: readonly { readonly value: string; readonly count: number }[];
  /** Lines with other values than these, and without the field. */
  readonly other: number;
  readonly missing: number;
}

export interface SavedSearchJson {
  readonly id: string;
  readonly name: string;
  readonly group?: string | null;
  readonly q: string;
}
