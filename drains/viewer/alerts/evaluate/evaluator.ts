/**
 * Evaluates alerts as lines come. Streams are read behind their ingestion, at durable cursors; what alerts have counted, the cursors, and
 * what fired are written in one transaction, and somebody is told afterwards. So whatever happens, a line is counted once, and what
 * fired before a crash is known after it, or fires again as if for the first time.
 */
import { reasonOf } from '../../../../src/common/errors.ts';
import { TimeSlices } from '../../../../src/common/limits/turns.ts';
import type { Log } from '../../../../src/common/log.ts';
import type {
  AppId,
  RecordChange,
  Sequence,
  Store,
  StoredBatch,
} from '../../../../src/logs/store/contract.ts';
import type { StoreClockRecord, TimeSources } from '../../../../src/logs/store/embedded/store-clock.ts';
import type { StreamReaders } from '../../../../src/logs/store/stream-reader.ts';
import type { LineStore } from '../../store/contract.ts';
import type { Firing } from '../conditions/alert-run.ts';
import type { PatternChange, PatternRecord } from '../matching/template-miner.ts';
import type { AlertHistory } from '../records/alert-history.ts';
import {
  ALERT_PREFIX,
  ALERTS_SCOPE,
  type AlertEvent,
  type AlertRecord,
  CURSOR_PREFIX,
  PATTERN_PREFIX,
  type SavedSearch,
  SEARCH_PREFIX,
  STATE_PREFIX,
} from '../records/alert-records.ts';
import { queryFault } from '../records/read-alert.ts';
import { AlertClock } from './alert-clock.ts';
import { SearchesOfAlerts } from './searches-of-alerts.ts';
import { keptBatches, type SharedSearches, StreamWatch } from './stream-watch.ts';
import { CurrentLine, type SearchedStream, WatchedAlert, type WatchedAlertState } from './watched-search.ts';

const TICK_MS = 1_000;
/** What was counted is written this often, unless something fires. */
const COMMIT_MS = 1_000;
/** What fired is written at once, but no more often than this while there are lines to look at: with it goes all that was counted. */
const FIRED_COMMIT_MS = 200;
/** A commit takes no more than this part of the time. */
const COMMIT_SHARE = 1 / 20;
/** Cursors alone, when nothing was counted: what is read again then counts nothing either. */
const CURSORS_COMMIT_MS = 10_000;
/** Nobody is said to be silent so soon after a start: senders may still have to deliver what they kept meanwhile. */
const GRACE_MS = 5 * 60_000;
/** Streams that are read at the same time. */
const STREAMS_AT_ONCE = 16;
/** How long lines are evaluated before others have their turn. */
const SLICE_MS = 5;
/** A stream is known so soon after it was made, unless evaluation hangs. */
const NEW_STREAM_MS = 5 * 60_000;
const CLOCK_KEY = 'clock';

export interface EvaluatorOptions {
  /** Streams and records. */
  readonly records: Store;
  readonly readers: StreamReaders;
  readonly lines?: Pick<LineStore, 'read'>;
  readonly history: AlertHistory;
  /** The streams that a search looks at now. */
  readonly streamsOf: (search: SavedSearch) => readonly SearchedStream[];
  /** Calls `listener` when that may have changed, until the returned function is called. */
  readonly onStreamsChange: (listener: () => void) => () => void;
  /** Called when it is written down that something fired. */
  readonly onEvents: (events: readonly AlertEvent[]) => void;
  readonly log: Log;
  /** Left out: the system's clocks. */
  readonly time?: TimeSources;
  readonly graceMs?: number;
}

export class AlertEvaluator {
  private readonly options: EvaluatorOptions;
  private readonly clock: AlertClock;
  private alerts: readonly WatchedAlert[] = [];
  private readonly watches = new Map<AppId, StreamWatch>();
  /** Those that may have lines behind their cursors. */
  private readonly behind = new Set<StreamWatch>();
  /** Alerts of which it was said that their searches can't be read. */
  private readonly unreadable = new Set<string>();
  /** Fired, and not written down yet. */
  private unwritten: AlertEvent[] = [];
  private readonly line = new CurrentLine();
  private readonly slices = new TimeSlices(SLICE_MS);
  private readonly timer: NodeJS.Timeout;
  private readonly unwatchStreams: () => void;
  private refreshes: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  private isTickDue = false;
  private running: Promise<void> | undefined;
  private isWoken = false;
  private isClosed = false;
  private lastCommitMs = Number.NEGATIVE_INFINITY;
  private lastCommitTookMs = 0;
  private lastCursorsMs = Number.NEGATIVE_INFINITY;

  private constructor(options: EvaluatorOptions, clock: AlertClock) {
    this.options = options;
    this.clock = clock;
    this.timer = setInterval(() => {
      if (this.alerts.length === 0) return;
      this.isTickDue = true;
      this.wake();
    }, TICK_MS).unref();
    this.unwatchStreams = options.onStreamsChange(() => void this.refresh().catch(() => undefined));
  }

  /** Starts; resolves when it knows what to look for. */
  static async start(options: EvaluatorOptions): Promise<AlertEvaluator> {
    const saved = await options.records.get<StoreClockRecord>(ALERTS_SCOPE, CLOCK_KEY);
    const evaluator = new AlertEvaluator(options, new AlertClock(saved?.value, options.time));
    await evaluator.refresh();
    return evaluator;
  }

  /** Looks at searches, alerts, streams and the time anew: what comes after this has resolved is counted. */
  refresh(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.refreshes.push({ resolve, reject });
      this.wake();
    });
  }

  /** How many lines wait to be evaluated, in all streams. */
  get lag(): number {
    let lag = 0;
    for (const { reader, cursor } of this.watches.values()) lag += Math.max(0, reader.newest - cursor);
    return lag;
  }

  /** Ends; what was counted is written down. */
  async close(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.timer);
    this.unwatchStreams();
    await this.running;
    await this.commit(true).catch(() => undefined);
    for (const watch of this.watches.values()) watch.close();
    for (const { resolve } of this.refreshes.splice(0)) resolve();
  }

  private wake(): void {
    this.isWoken = true;
    this.running ??= this.work().finally(() => {
      this.running = undefined;
      if (this.isWoken && !this.isClosed) this.wake();
    });
  }

  private async work(): Promise<void> {
    // Behind the call that woke it.
    await undefined;
    while (this.isWoken && !this.isClosed) {
      this.isWoken = false;
      const refreshes = this.refreshes.splice(0);
      try {
        if (refreshes.length > 0) {
          await this.commit(true);
          await this.load();
          this.isTickDue = true;
        }
        await this.readStreams();
        if (this.isTickDue) {
          this.isTickDue = false;
          this.settle(this.alerts);
        }
        await this.commit();
        for (const { resolve } of refreshes) resolve();
      } catch (error) {
        this.options.log.warn(
          { err: error },
          'alerts can not be evaluated for now; lines wait for it in their streams',
        );
        for (const { reject } of refreshes) reject(error);
        // The next tick, or the next line, wakes it again.
        for (const watch of this.watches.values()) this.behind.add(watch);
        return;
      }
    }
  }

  /** Reads what is new, of a few streams at a time, oldest first. */
  private async readStreams(): Promise<void> {
    const behind = [...this.behind];
    for (let from = 0; from < behind.length && !this.isClosed; from += STREAMS_AT_ONCE) {
      const read: { watch: StreamWatch; batch: StoredBatch }[] = [];
      for (const watch of behind.slice(from, from + STREAMS_AT_ONCE)) {
        // What is stored from here on adds it again.
        this.behind.delete(watch);
        await watch.reader.ready;
        const batches = await watch.reader.readAfter(watch.cursor);
        if (batches.length > 0) this.behind.add(watch);
        for (const batch of batches) read.push({ watch, batch });
      }
      if (read.length > 1)
        read.sort((a, b) => a.batch.storedAtMs - b.batch.storedAtMs || a.batch.first - b.batch.first);
      for (const { watch, batch } of read) await this.evaluate(watch, batch);
    }
    if (this.behind.size > 0) this.isWoken = true;
  }

  private async evaluate(watch: StreamWatch, batch: StoredBatch): Promise<void> {
    if (batch.last <= watch.cursor) return;
    if (batch.first > watch.cursor + 1 && watch.cursor > 0) await this.fillGap(watch, batch.first);
    this.evaluateBatch(watch, batch);
    if (this.unwritten.length > 0) await this.commit();
    if (this.slices.isOver) await this.slices.next();
  }

  private evaluateBatch(watch: StreamWatch, batch: StoredBatch): void {
    const { line, clock } = this;
    line.atMs = clock.arrival(watch.stream.id, batch.storedAtMs);
    line.receivedAtMs = batch.storedAtMs;
    watch.watchedMs = line.atMs;
    const touched = new Set<WatchedAlert>();
    watch.evaluate(batch, line, touched);
    if (touched.size > 0) this.settle(touched);
  }

  /** Lines that the stream holds no more. */
  private async fillGap(watch: StreamWatch, before: Sequence): Promise<void> {
    const { lines, log } = this.options;
    if (lines)
      for await (const batch of keptBatches(lines, watch.stream.id, watch.cursor, before)) {
        this.evaluateBatch(watch, batch);
        if (this.unwritten.length > 0) await this.commit();
        if (this.slices.isOver) await this.slices.next();
      }
    if (watch.cursor < before - 1) {
      log.warn(
        { stream: watch.stream.id, first: watch.cursor + 1, last: before - 1 },
        'lines were removed before alerts could look at them',
      );
      watch.moveTo(before - 1);
    }
  }

  private settle(alerts: Iterable<WatchedAlert>): void {
    const nowMs = this.clock.now();
    const isGrace = nowMs < this.clock.openedMs + (this.options.graceMs ?? GRACE_MS);
    for (const watched of alerts) {
      let watchedMs = isGrace ? 0 : nowMs;
      if (watched.alert.condition.kind === 'none')
        for (const watch of this.behind)
          if (watched.looksAt(watch.stream.id)) watchedMs = Math.min(watchedMs, watch.watchedMs);
      for (const firing of watched.run.settle(nowMs, watchedMs))
        this.unwritten.push(this.eventOf(watched, firing));
    }
  }

  private eventOf({ alert, search }: WatchedAlert, firing: Firing): AlertEvent {
    const { kind, value, count, samples, patterns, fromMs, toMs } = firing;
    const { clock } = this;
    const isMuted = alert.mutedUntil !== undefined && Date.now() < Date.parse(alert.mutedUntil);
    const isSilence = alert.condition.kind === 'none' && kind === 'fired';
    const unwatchedMs = isSilence
      ? Math.max(0, Math.min(toMs, clock.openedMs) - Math.max(fromMs, clock.savedMs))
      : 0;
    const isTold = !isMuted && (kind === 'fired' || alert.notifyResolved);
    return {
      id: this.options.history.newId(),
      kind,
      alert: { id: alert.id, name: alert.name },
      search: {
        id: search.id,
        name: search.name,
        query: search.query,
        ...(search.group !== undefined && { group: search.group }),
        ...(search.streams && { streams: search.streams }),
      },
      condition: alert.condition,
      ...(alert.groupBy !== undefined && { value: { field: alert.groupBy, value } }),
      count,
      ...(patterns && { patterns }),
      fromMs: clock.toWall(fromMs),
      toMs: clock.toWall(toMs),
      ...(unwatchedMs > 0 && { unwatchedMs }),
      samples,
      ...(isMuted && { muted: true }),
      deliveries: isTold
        ? alert.destinations.map(({ id }) => ({ destination: id, state: 'waiting', attempts: 0 }))
        : [],
    };
  }

  /** Writes down what was counted and what fired, when it is time. */
  private async commit(isEnd = false): Promise<void> {
    const { records, history, onEvents, log } = this.options;
    const nowMs = performance.now();
    const isDue = isEnd || this.isCommitDue(nowMs - this.lastCommitMs);
    const isCursorsDue = this.watches.size > 0 && nowMs - this.lastCursorsMs >= CURSORS_COMMIT_MS;
    if (!isDue && !isCursorsDue) return;
    const dirty = this.alerts.filter(({ isDirty }) => isDirty);
    if (!isCursorsDue && dirty.length === 0 && this.unwritten.length === 0) return;
    const events = this.unwritten;
    const changes: RecordChange[] = [{ key: CLOCK_KEY, value: this.clock.save() }];
    for (const watch of this.watches.values()) {
      if (!watch.isCursorDirty) continue;
      changes.push({ key: CURSOR_PREFIX + watch.stream.id, value: watch.cursor });
      watch.isCursorDirty = false;
    }
    for (const { alert, run, miner, state } of dirty) {
      changes.push({ key: STATE_PREFIX + alert.id, value: state });
      run.isDirty = false;
      for (const { id, record } of miner?.takeChanges() ?? [])
        changes.push({ key: `${PATTERN_PREFIX}${alert.id}/${id}`, value: record });
    }
    this.lastCommitMs = nowMs;
    this.lastCursorsMs = nowMs;
    changes.push(...history.changesFor(events));
    await this.write(changes, records, log);
    this.lastCommitTookMs = performance.now() - nowMs;
    this.unwritten = [];
    if (events.length === 0) return;
    history.written(events);
    onEvents(events);
  }

  private isCommitDue(sinceMs: number): boolean {
    if (this.unwritten.length > 0 && (sinceMs >= FIRED_COMMIT_MS || this.behind.size === 0)) return true;
    const pauseMs = Math.max(COMMIT_MS, this.lastCommitTookMs / COMMIT_SHARE);
    return sinceMs >= Math.min(pauseMs, CURSORS_COMMIT_MS);
  }

  /** What was counted has to be written before more is: a store that can't is asked again. */
  private async write(changes: readonly RecordChange[], records: Store, log: Log): Promise<void> {
    for (let failures = 0; ; failures++)
      try {
        await records.transact(ALERTS_SCOPE, changes, { quiet: true });
        return;
      } catch (error) {
        if (this.isClosed) throw error;
        if (failures === 0)
          log.warn(
            { reason: reasonOf(error) },
            'what alerts have counted can not be written for now; it is tried again',
          );
        await new Promise((resolve) => setTimeout(resolve, COMMIT_MS).unref());
      }
  }

  private async load(): Promise<void> {
    const { records, streamsOf } = this.options;
    const [alerts, searches] = await Promise.all([
      records.list<AlertRecord>(ALERTS_SCOPE, ALERT_PREFIX),
      records.list<SavedSearch>(ALERTS_SCOPE, SEARCH_PREFIX),
    ]);
    const searchOf = new Map(searches.map(({ value }) => [value.id, value]));
    const known = new Map(this.alerts.map((one) => [one.alert.id, one]));
    const loaded: WatchedAlert[] = [];
    const added: WatchedAlert[] = [];
    for (const { value: alert } of alerts) {
      const search = searchOf.get(alert.search);
      if (!search || !alert.enabled) continue;
      const streams = streamsOf(search);
      const before = known.get(alert.id);
      const isKnown = before?.search.query === search.query;
      if (!isKnown && !this.isReadable(alert, search)) continue;
      if (streams.length === 0) {
        // Nobody is silent who was removed. When there is something again, it counts anew.
        if (await records.get(ALERTS_SCOPE, STATE_PREFIX + alert.id))
          await records.transact(ALERTS_SCOPE, [{ key: STATE_PREFIX + alert.id, value: undefined }], {
            quiet: true,
          });
        continue;
      }
      const same =
        before &&
        JSON.stringify([before.alert, before.search, before.streams]) ===
          JSON.stringify([alert, search, streams]);
      if (same) {
        loaded.push(before);
        continue;
      }
      const { watched, isNew } = await this.openAlert(alert, search, streams);
      loaded.push(watched);
      if (isNew) added.push(watched);
    }
    await this.watchStreams(loaded, added);
    this.alerts = loaded;
    await this.commit(true);
  }

  /** One search that can't be read any more keeps none of the others from being looked at. */
  private isReadable(alert: AlertRecord, search: SavedSearch): boolean {
    const fault = queryFault(search.query);
    if (fault === undefined) {
      this.unreadable.delete(alert.id);
      return true;
    }
    if (!this.unreadable.has(alert.id))
      this.options.log.warn(
        { alert: alert.id, search: search.id, reason: fault },
        'an alert is not evaluated, since its search can not be read',
      );
    this.unreadable.add(alert.id);
    return false;
  }

  private async openAlert(
    alert: AlertRecord,
    search: SavedSearch,
    streams: readonly SearchedStream[],
  ): Promise<{ watched: WatchedAlert; isNew: boolean }> {
    const { records } = this.options;
    const state = await records.get<WatchedAlertState>(ALERTS_SCOPE, STATE_PREFIX + alert.id);
    const prefix = `${PATTERN_PREFIX}${alert.id}/`;
    const patterns: PatternChange[] =
      alert.condition.kind === 'new-pattern'
        ? (await records.list<PatternRecord>(ALERTS_SCOPE, prefix)).map(({ key, value }) => ({
            id: key.slice(prefix.length),
            record: value,
          }))
        : [];
    const watched = new WatchedAlert(alert, search, streams, this.clock.now(), state?.value, patterns);
    return { watched, isNew: state === undefined };
  }

  /** Reads the streams of all alerts, and no others. A new alert looks at what comes from now on. */
  private async watchStreams(alerts: readonly WatchedAlert[], added: readonly WatchedAlert[]): Promise<void> {
    const { records } = this.options;
    const byStream = new Map<AppId, { stream: SearchedStream; alerts: WatchedAlert[] }>();
    for (const alert of alerts)
      for (const stream of alert.streams) {
        const entry = byStream.get(stream.id);
        if (entry) entry.alerts.push(alert);
        else byStream.set(stream.id, { stream, alerts: [alert] });
      }
    const shared = new Map<string, SearchesOfAlerts>();
    for (const [id, { stream, alerts: own }] of byStream) {
      const key = own.map(({ alert }) => alert.id).join(' ');
      const ofAlerts = shared.get(key) ?? new SearchesOfAlerts(own);
      shared.set(key, ofAlerts);
      const searches = ofAlerts.of(stream.name);
      const watch = this.watches.get(id);
      const { last } = await records.bounds(id);
      if (watch) watch.searches = searches;
      else this.watches.set(id, await this.watchStream(stream, last, searches, own));
      const cursor = this.watches.get(id)?.cursor ?? last;
      // A stream that is younger than the alert is counted from its first line on.
      for (const one of own)
        if (added.includes(one) && cursor < last && !isNewFor(one, stream)) one.startBehind(id, last);
    }
    for (const [id, watch] of this.watches) {
      if (byStream.has(id)) continue;
      watch.close();
      this.behind.delete(watch);
      this.watches.delete(id);
      await records.transact(ALERTS_SCOPE, [{ key: CURSOR_PREFIX + id, value: undefined }], { quiet: true });
    }
  }

  private async watchStream(
    stream: SearchedStream,
    last: Sequence,
    searches: SharedSearches,
    alerts: readonly WatchedAlert[],
  ): Promise<StreamWatch> {
    const { records, readers } = this.options;
    const saved = await records.get<Sequence>(ALERTS_SCOPE, CURSOR_PREFIX + stream.id);
    const isYounger = alerts.some((alert) => isNewFor(alert, stream));
    const cursor = Math.min(saved?.value ?? (isYounger ? 0 : last), last);
    const watch = new StreamWatch(stream, cursor, searches, readers.open(stream.id), (grown) => {
      this.behind.add(grown);
      this.wake();
    });
    this.behind.add(watch);
    watch.isCursorDirty = true;
    watch.watchedMs = this.clock.now();
    this.isWoken = true;
    return watch;
  }
}

/**
 * Is a stream counted from its first line on? It was made while the alert was as it is now, and just now: another one may have come to the
 * search's group with all its lines.
 */
function isNewFor({ alert, search }: WatchedAlert, { createdAt }: SearchedStream): boolean {
  return (
    createdAt > alert.updatedAt &&
    createdAt > search.updatedAt &&
    Date.now() - Date.parse(createdAt) < NEW_STREAM_MS
  );
}
