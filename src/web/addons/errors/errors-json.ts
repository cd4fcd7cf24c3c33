/** Errors as their service shows them. */

export type GroupStatusJson = 'unresolved' | 'resolved' | 'ignored';
export type GroupSortJson = 'last_seen' | 'first_seen' | 'count' | 'users';
export type ErrorLevelJson = 'fatal' | 'error' | 'warning' | 'info' | 'debug';

export interface GroupJson {
  readonly id: string;
  readonly status: GroupStatusJson;
  readonly level: ErrorLevelJson;
  readonly type: string;
  readonly value: string;
  readonly culprit: string;
  readonly location: string;
  readonly platform: string;
  readonly count: number;
  readonly users: number;
  readonly first_seen: string;
  readonly last_seen: string;
  readonly first_release: string | null;
  readonly last_release: string | null;
  readonly environments: readonly string[];
  readonly regressions: number;
  readonly kept_events: number;
  /** Events by hour, the current one last: of a day in lists, of a week in details. */
  readonly hours: readonly number[];
}

export interface GroupListJson {
  readonly total: number;
  readonly groups: readonly GroupJson[];
}

export interface SummaryJson {
  readonly name: string;
  readonly dsn: string;
  readonly groups: Readonly<Record<GroupStatusJson, number>>;
  readonly events: number;
  readonly kept_events: number;
  readonly evicted_groups: number;
  readonly limited_events: number;
}

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonMap;
export interface JsonMap {
  readonly [key: string]: JsonValue;
}

export interface FrameJson {
  readonly function?: string;
  readonly module?: string;
  readonly file?: string;
  readonly path?: string;
  readonly line?: number;
  readonly column?: number;
  readonly isInApp: boolean;
  readonly before: readonly string[];
  readonly source?: string;
  readonly after: readonly string[];
  readonly vars?: JsonMap;
}

export interface ExceptionJson {
  readonly type: string;
  readonly value: string;
  readonly module?: string;
  readonly isHandled?: boolean;
  readonly mechanism?: string;
  readonly frames: readonly FrameJson[];
}

export interface BreadcrumbJson {
  readonly atMs?: number;
  readonly category: string;
  readonly level: string;
  readonly message: string;
  readonly data?: JsonMap;
}

export interface EventJson {
  readonly number: number;
  readonly group: string;
  readonly previous: number | null;
  readonly next: number | null;
  readonly position: number;
  readonly of: number;
  readonly received_at: string;
  readonly cut: number;
  readonly event: {
    readonly id?: string;
    readonly atMs?: number;
    readonly level: ErrorLevelJson;
    readonly platform: string;
    readonly sdk: string;
    readonly logger?: string;
    readonly message?: string;
    readonly exceptions: readonly ExceptionJson[];
    readonly frames: readonly FrameJson[];
    readonly transaction?: string;
    readonly release?: string;
    readonly environment?: string;
    readonly serverName?: string;
    readonly tags: readonly (readonly [string, string])[];
    readonly breadcrumbs: readonly BreadcrumbJson[];
    readonly user?: JsonMap;
    readonly request?: JsonMap;
    readonly contexts?: JsonMap;
    readonly extra?: JsonMap;
  };
  readonly raw: JsonMap;
}
