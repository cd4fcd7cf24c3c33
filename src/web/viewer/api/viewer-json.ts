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
  /** False: it doesn't match itself, and is there for the event that it is of. */
  readonly matches?: false;
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
  /** There was no time to count all lines. */
  readonly partial?: true;
}

export interface ValuesJson {
  readonly values: readonly { readonly value: string; readonly count: number }[];
  /** Lines with other values than these, and without the field. */
  readonly other: number;
  readonly missing: number;
  /** There was no time to count all lines. */
  readonly partial?: true;
}

export interface SavedSearchJson {
  readonly id: string;
  readonly name: string;
  readonly group: string | null;
  /** Instead of all of the group's. */
  readonly streams: readonly string[] | null;
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

export type ConditionJson =
  | { readonly kind: 'at-least'; readonly count: number; readonly minutes: number; readonly text?: string }
  | { readonly kind: 'none'; readonly minutes: number; readonly text?: string }
  | {
      readonly kind: 'new-pattern';
      readonly days: number;
      readonly learn_minutes?: number;
      readonly text?: string;
    };

/** Addresses of webhooks are secrets: they are shown shortened, and stay when they are sent back like that. */
export type DestinationJson =
  | { readonly id?: string; readonly kind: 'webhook'; readonly form: string; readonly url: string }
  | { readonly id?: string; readonly kind: 'pagerduty'; readonly routing_key: string }
  | { readonly id?: string; readonly kind: 'email'; readonly to: readonly string[] };

export interface AlertJson {
  readonly id: string;
  readonly name: string;
  /** The id of the saved search. */
  readonly search: string;
  readonly condition: ConditionJson;
  readonly group_by: string | null;
  readonly cooldown_minutes: number;
  readonly notify_resolved: boolean;
  readonly enabled: boolean;
  readonly muted_until: string | null;
  readonly destinations: readonly DestinationJson[];
  readonly last_fired_at: string | null;
  /** Why no line is looked at, though it is on. */
  readonly problem: string | null;
}

export interface DeliveryJson {
  readonly destination: string;
  readonly state: 'waiting' | 'sent' | 'failed';
  readonly error?: string;
}

export interface AlertEventJson {
  readonly id: string;
  readonly kind: 'fired' | 'resolved' | 'test';
  readonly title: string;
  readonly summary: string;
  readonly alert: { readonly id: string; readonly name: string };
  readonly search: {
    readonly id: string;
    readonly name: string;
    readonly q: string;
    readonly group: string | null;
  };
  readonly from: string;
  readonly to: string;
  readonly muted: boolean;
  readonly lines: readonly {
    readonly stream: string;
    readonly stream_name: string;
    readonly position: string;
    readonly timestamp: string;
    readonly program: string;
    readonly message: string;
  }[];
  readonly deliveries: readonly DeliveryJson[];
}

export interface ArchivedFileJson {
  readonly name: string;
  readonly format: string;
  readonly bytes: number;
  readonly group: { readonly id: string; readonly name: string } | null;
  readonly lines: number | null;
  readonly firstAt: string | null;
  readonly lastAt: string | null;
  readonly streams: readonly { readonly id: string; readonly name: string }[];
}

export interface ArchivesJson {
  /** Where they are; null: nothing is archived. */
  readonly archive: string | null;
  readonly trouble?: string;
  readonly problems?: readonly string[];
  readonly lastArchivedAt?: string;
  readonly files: readonly ArchivedFileJson[];
}

export interface RetentionJson {
  /** A duration such as `30d`, and bytes on disk; null where it is the viewer's own setting that holds. */
  readonly keep: string | null;
  readonly bytes: number | null;
  readonly effective: { readonly keep: string | null; readonly bytes: number | null };
}
