/**
 * Wake-ups by pub/sub, and a sweep behind them, since messages may be lost: with the connection, or between the servers
 * of a Cluster.
 *
 * The sweep asks for the last sequences of the apps that somebody here waits for, and of no others: ten thousand
 * idle apps that nobody reads cost nothing. A script answers for hundreds of apps in one call; in a Cluster, where a
 * call can't reach into several slots, it is one pipeline a server.
 */
import type { AppId, Sequence, Wake } from '../contract.ts';
import { Wakes } from '../wakes.ts';
import { Absences, AWAY_MS } from './absences.ts';
import type { Connection } from './connection/connection.ts';
import { appOf, channelOf, RECORDS_CHANNEL, streamKeys } from './keys.ts';
import type { RedisRecords } from './records.ts';
import { SCRIPTS } from './scripts.ts';

/** A lost wake-up is made up for after this time: no line is late by more than a second. */
const SWEEP_MS = 600;
/** Apps that are asked for, and channels that are subscribed to, with one call. */
const SWEEP_APPS = 500;

export class Wakeups {
  private readonly connection: Connection;
  private readonly records: RedisRecords;
  private readonly origin: string;
  private readonly wakes = new Wakes();
  private readonly absences = new Absences();
  /** Apps that somebody waits for, with the last sequence that they were told of; -1: not even subscribed yet. */
  private readonly told = new Map<AppId, Sequence>();
  private revision = -1;
  private joining: AppId[] = [];
  private leaving: AppId[] = [];
  private readonly timer: NodeJS.Timeout;
  private sweeping = false;
  private sweptAtMs = 0;
  private closed = false;

  constructor(connection: Connection, records: RedisRecords, origin: string) {
    this.connection = connection;
    this.records = records;
    this.origin = origin;
    connection.onMessage((channel, message) => this.message(channel, message));
    connection.onUp(() => void this.joinAgain());
    this.timer = setInterval(() => this.look(), SWEEP_MS);
    this.timer.unref();
  }

  subscribe(app: AppId, wake: Wake): () => void {
    const unsubscribe = this.wakes.subscribe(app, wake);
    if (!this.told.has(app)) {
      this.told.set(app, -1);
      this.join(app);
    }
    return () => {
      unsubscribe();
      if (this.wakes.has(app)) return;
      this.told.delete(app);
      this.leave(app);
    };
  }

  watch(changed: (scope: string) => void): () => void {
    return this.wakes.watch(changed);
  }

  watchAbsence(app: AppId, told: (away: boolean) => void): () => void {
    return this.absences.watch(app, told);
  }

  /** This process appended: `last` is new. */
  appended(app: AppId, last: Sequence, batch: Parameters<Wake>[0]): void {
    const told = this.told.get(app);
    if (told === undefined) return;
    if (last > told && told >= 0) this.told.set(app, last);
    this.wakes.wake(app, batch);
  }

  /** This process changed records; `revision` is the scope's number of transactions since. */
  changed(scope: string, revision: number): void {
    if (scope === '') this.seen(revision);
    this.wakes.changed(scope);
  }

  /** The newest sequence that anybody here was told of. */
  newest(app: AppId): Sequence {
    return Math.max(0, this.told.get(app) ?? 0);
  }

  close(): void {
    this.closed = true;
    clearInterval(this.timer);
  }

  private join(app: AppId): void {
    this.joining.push(app);
    if (this.joining.length === 1) setImmediate(() => void this.joinAll());
  }

  /** Subscribes to all channels of a turn at once, and wakes: what was appended meanwhile was told to nobody. */
  private async joinAll(): Promise<void> {
    const apps = this.joining.splice(0).filter((app) => this.told.has(app));
    if (apps.length === 0 || this.closed) return;
    await this.connection.subscribe(apps.map(channelOf)).catch(() => {}); // when the connection is there again
    await this.sweep();
  }

  /** A connection is new: nothing is subscribed to, and whatever was told meanwhile is lost. */
  private async joinAgain(): Promise<void> {
    const channels = [RECORDS_CHANNEL, ...[...this.told.keys()].map(channelOf)];
    try {
      for (let i = 0; i < channels.length; i += SWEEP_APPS)
        await this.connection.subscribe(channels.slice(i, i + SWEEP_APPS));
    } catch {
      // The connection is lost again; the next one will be told.
    }
    await this.sweep();
  }

  private leave(app: AppId): void {
    this.leaving.push(app);
    if (this.leaving.length > 1) return;
    setImmediate(() => {
      const apps = this.leaving.splice(0).filter((one) => !this.told.has(one));
      if (apps.length > 0 && !this.closed) this.connection.unsubscribe(apps.map(channelOf)).catch(() => {});
    });
  }

  private message(channel: string, message: string): void {
    if (channel === RECORDS_CHANNEL) {
      const [, origin, revision, scope] = /^(\S+) (\d+) (.*)$/s.exec(message) ?? [];
      if (origin === undefined || origin === this.origin) return;
      if (scope === '') this.seen(Number(revision));
      this.wakes.changed(scope);
      return;
    }
    const [origin, last] = message.split(' ');
    // Whoever appended here is woken with the batch itself, when the append's reply comes.
    if (origin !== this.origin) this.wake(appOf(channel), Number(last));
  }

  private wake(app: AppId, last: Sequence): void {
    const told = this.told.get(app);
    if (told === undefined || last <= told) return;
    this.told.set(app, last);
    this.wakes.wake(app, undefined);
  }

  private seen(revision: number): void {
    // After a number that is missing something else was changed too; the sweep finds that.
    if (revision === this.revision + 1) this.revision = revision;
  }

  private look(): void {
    // A Redis that hangs keeps its connection. One server of a Cluster that does has apps of its own, and the sweep finds them.
    const hangs = this.sweeping && !this.connection.isCluster && performance.now() - this.sweptAtMs > AWAY_MS;
    if (hangs || !this.connection.isUp) this.absences.missedAll();
    void this.sweep();
  }

  /** Looks whether anything was appended or changed that nobody here was told of. */
  async sweep(): Promise<void> {
    if (this.sweeping || this.closed || !this.connection.isUp) return;
    this.sweeping = true;
    this.sweptAtMs = performance.now();
    const apps = [...this.told.keys()];
    const parts = [this.sweepRecords()];
    for (let i = 0; i < apps.length; i += SWEEP_APPS)
      parts.push(this.sweepApps(apps.slice(i, i + SWEEP_APPS)));
    // While Redis is away they fail: the next sweep makes up for this one.
    await Promise.allSettled(parts);
    this.sweeping = false;
  }

  private async sweepRecords(): Promise<void> {
    const revision = await this.records.revision('');
    if (revision === this.revision) return;
    const first = this.revision === -1;
    this.revision = revision;
    if (!first) this.wakes.changed('');
  }

  private async sweepApps(apps: readonly AppId[]): Promise<void> {
    const newest = await this.newestOf(apps);
    for (const [i, app] of apps.entries()) {
      const last = newest[i];
      const told = this.told.get(app);
      if (last === undefined) this.absences.missed(app);
      else this.absences.reached(app);
      if (last === undefined || told === undefined) continue;
      if (last > told) this.wake(app, last);
      else if (last < told) await this.raise(app, told);
    }
  }

  private async newestOf(apps: readonly AppId[]): Promise<readonly (number | undefined)[]> {
    const states = apps.map((app) => streamKeys(app).state);
    if (!this.connection.isCluster)
      return (await this.connection.run(SCRIPTS.newest, states, [])) as number[];
    const fields = await this.connection.fields(states, 'next');
    return fields.map((next) => (next === undefined ? undefined : Number(next ?? 1) - 1));
  }

  /**
   * The stream is shorter than what was told: a failover lost its end, or the app was dropped. Its next line must not
   * get a number that readers have passed.
   */
  private async raise(app: AppId, told: Sequence): Promise<void> {
    await this.connection.run(SCRIPTS.raise, [streamKeys(app).state], [told + 1]);
  }
}
