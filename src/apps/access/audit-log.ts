/** Who changed what: a line in a stream of its own, which outlives the apps. */
import { TailraceError } from '../../common/errors.ts';
import type { Log } from '../../common/log.ts';
import { PlatformLinePriority, type PlatformLog } from '../../logs/router/platform-log.ts';
import type { AppId } from '../../logs/store/contract.ts';
import type { AppRecord, AppRegistry } from '../records/app-registry.ts';
import type { Releases } from '../records/release-history.ts';

/** The app whose stream it is. It is made with the first line. */
export const AUDIT_APP = 'tailrace-audit';
/** `heroku[audit]` */
const DYNO = 'audit';
/** A value in a line is cut after so many characters. */
const VALUE_LENGTH_MAX = 400;

/** What was done, by whom, to what; in this order in the line. */
export interface AuditEvent {
  /** In words: `Change config vars`. */
  readonly action: string;
  /** The key's description, or the user's address. */
  readonly by: string;
  /** Name of the app that it concerns; undefined for what concerns none. */
  readonly app: string | undefined;
  /** Further fields: never a secret's value. */
  readonly fields: Readonly<Record<string, string | undefined>>;
}

export interface AuditLogDependencies {
  readonly appRegistry: AppRegistry;
  readonly releases: Pick<Releases, 'createInitial'>;
  readonly platformLog: PlatformLog;
  readonly log: Log;
}

/** One for each server. Lines are written in the background: a request never waits for its line, nor fails with it. */
export class AuditLog {
  private readonly dependencies: AuditLogDependencies;
  private stream: Promise<AppId> | undefined;
  private readonly pending = new Set<Promise<void>>();
  private isClosed = false;

  constructor(dependencies: AuditLogDependencies) {
    this.dependencies = dependencies;
  }

  /** Writes an event's line; what can't be written is told to the server's own log, with the line. */
  write(event: AuditEvent): void {
    if (this.isClosed) return;
    const written = this.append(event).finally(() => this.pending.delete(written));
    this.pending.add(written);
  }

  /** Waits for what is being written; nothing comes after it. */
  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all(this.pending);
  }

  private async append(event: AuditEvent): Promise<void> {
    const { platformLog, log } = this.dependencies;
    const line = auditLine(event);
    try {
      this.stream ??= this.openStream();
      platformLog.write(await this.stream, 'heroku', DYNO, PlatformLinePriority.audit, line);
    } catch (error) {
      this.stream = undefined;
      log.warn({ err: error, line }, 'a change could not be written to the audit stream');
    }
  }

  private async openStream(): Promise<AppId> {
    const { appRegistry, releases } = this.dependencies;
    const found = await appRegistry.findApp(AUDIT_APP);
    if (found) return found.id;
    try {
      const app = await appRegistry.createApp(AUDIT_APP);
      await releases.createInitial(app.id, app.createdAt);
      return app.id;
    } catch (error) {
      // Another router has made it just now.
      if (!(error instanceof TailraceError) || error.code !== 'conflict') throw error;
      return (await appRegistry.getApp(AUDIT_APP)).id;
    }
  }
}

/** @throws TailraceError `conflict`: what was done stays known */
export function refuseAuditApp({ name }: Pick<AppRecord, 'name'>): void {
  if (name === AUDIT_APP)
    throw new TailraceError('conflict', 'This is the app of the audit stream: it stays as it is.');
}

/** An event as a line of logfmt. */
function auditLine({ action, by, app, fields }: AuditEvent): string {
  const pairs = Object.entries({ action, by, app, ...fields });
  return pairs
    .flatMap(([name, value]) => (value === undefined ? [] : `${name}=${logfmtValue(value)}`))
    .join(' ');
}

function logfmtValue(value: string): string {
  const short = value.length > VALUE_LENGTH_MAX ? `${value.slice(0, VALUE_LENGTH_MAX)}…` : value;
  return /^[^\s"=\\\p{C}]+$/u.test(short) ? short : JSON.stringify(short);
}
