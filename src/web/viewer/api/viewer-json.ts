/** What the viewer's server answers with. */
import type { LineJson } from '../../stream/line.ts';

export type RoleName = 'owner' | 'member' | 'reader';

export interface SessionJson {
  readonly user: {
    readonly email: string;
    /** In all groups; null: in those of `groups` alone. */
    readonly role: RoleName | null;
    readonly groups?: Readonly<Record<string, RoleName>>;
  };
  /** Of every request that changes something. */
  readonly csrf: string;
  /** Another server has signed in: there is no password, and no signing out. */
  readonly external?: boolean;
}

/** Where senders reach a stream, or a group. Only for its owners. */
export interface SenderAddresses {
  readonly token?: string;
  readonly drain_url?: string;
  /** `{"tcp": "logs.example:6620"}` */
  readonly syslog?: Readonly<Record<string, string>>;
}

export interface StreamJson extends SenderAddresses {
  readonly id: string;
  readonly name: string;
  readonly group: string;
  readonly lines: number;
  readonly bytes: number;
  readonly firstAt: string | null;
  readonly lastAt: string | null;
}

export interface StreamGroupJson extends SenderAddresses {
  readonly id: string;
  readonly name: string;
  /** Of whoever asks. */
  readonly role: RoleName;
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

export interface UserJson {
  readonly id: string;
  readonly email: string;
  readonly role: RoleName | null;
  readonly groups: Readonly<Record<string, RoleName>>;
  readonly created_at: string;
}

export interface InviteJson {
  readonly id: string;
  readonly email: string | null;
  readonly role: RoleName | null;
  readonly groups: Readonly<Record<string, RoleName>>;
  readonly expires_at: string;
  /** In the answer that made it alone. */
  readonly url?: string;
}

export interface KeyJson {
  readonly id: string;
  readonly name: string;
  readonly scope: string;
  readonly groups: readonly string[] | null;
  readonly created_at: string;
  readonly created_by: string;
  /** In the answer that made it alone. */
  readonly key?: string;
}
