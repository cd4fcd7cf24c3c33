/** The heart of the log router, opened together: whatever takes lines in and reads them is put around it. */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Closers } from '../../common/closers.ts';
import type { Settings } from '../../common/config/settings.ts';
import type { Log } from '../../common/log.ts';
import { platformErrorTitle } from '../../common/platform-errors.ts';
import { Throttle } from '../../common/throttle.ts';
import { registerBatchMetrics } from '../metrics/batch-metrics.ts';
import { LogMetrics } from '../metrics/log-metrics.ts';
import { createRegistry } from '../metrics/registry.ts';
import { registerStoreCounts, type StoreCounts } from '../metrics/store-metrics.ts';
import type { HeldUpOutcome } from '../router/batcher.ts';
import { LogRouter } from '../router/log-router.ts';
import { PlatformLinePriority, PlatformLog } from '../router/platform-log.ts';
import type { AppId, Sequence, Store, StreamDamage } from '../store/contract.ts';
import { describeDamage, lostLinesMessage } from '../store/damage-reports.ts';
import { openStore } from '../store/open.ts';
import { StreamReaders } from '../store/stream-reader.ts';
import { timestampText } from '../syslog/timestamp.ts';
import { ScanThreads } from '../tails/history/scan-threads.ts';

/** How long lines that were taken may need to be stored when the router is closed. */
const GRACE_MS = 3_000;
/** One warning about a failing store in this time. */
const WARN_INTERVAL_MS = 10_000;

/** The store, what reads its streams, and the router that fills them. */
export interface LogCore {
  readonly store: Store;
  readonly readers: StreamReaders;
  readonly router: LogRouter;
  readonly platformLog: PlatformLog;
  readonly metrics: Registry;
  /** Stores what was taken, and closes the store. */
  close(): Promise<void>;
}

/** What knows the names of apps, and whatever else is made of the store first. */
export interface AppNames {
  readonly appName: (app: AppId) => Promise<string | undefined>;
}

export interface LogCoreOptions {
  /** May the embedded store trim a stream up to this line? Left out: yes. */
  readonly mayTrim?: (app: AppId, through: Sequence) => boolean;
  /** Does somebody else say which lines are lost? Left out: the server's log and the app's stream do. */
  readonly isDamageReported?: boolean;
  /** What is done with the store before anything is stored in it or read of its streams. */
  readonly prepare?: (store: Store) => Promise<void>;
}

/**
 * Opens the store and the router on it.
 * @param readNames makes what knows the names of apps
 * @throws TailraceError when the store can't be used, with what to do.
 */
export async function openLogCore<Names extends AppNames>(
  settings: Settings,
  log: Logger,
  readNames: (store: Store) => Names,
  { mayTrim, isDamageReported = false, prepare }: LogCoreOptions = {},
): Promise<LogCore & Names> {
  const closers = new Closers();
  const close = (): Promise<void> => closers.close();
  try {
    const storeLog = log.child({ area: 'store' });
    const metrics = createRegistry();
    const counts = registerStoreCounts(metrics);
    const { onSynced } = counts;
    const store = await openStore(settings, storeLog, undefined, { mayTrim, onSynced });
    closers.add(() => store.close());
    await prepare?.(store);
    const scanner = new ScanThreads();
    closers.add(() => scanner.close());
    const readers = new StreamReaders(store, scanner);
    const names = readNames(store);
    const { router, close: closeRouter } = openRouter(
      settings,
      store,
      metrics,
      counts,
      names.appName,
      log.child({ area: 'router' }),
      (app, outcome) => reportHeldUp(app, outcome, platformLog),
    );
    closers.add(closeRouter);
    const platformLog = new PlatformLog(router);
    if (!isDamageReported)
      closers.add(
        store.watchDamage((damage) => {
          if (damage.isNew) counts.onLinesLost(damage.last - damage.first + 1);
          void names
            .appName(damage.app)
            .catch(() => undefined)
            .then((name) => reportDamage(damage, name, storeLog, platformLog));
        }),
      );
    return { ...names, store, readers, router, platformLog, metrics, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Says which lines are lost: in the server's log at every start, in the app's stream once. */
function reportDamage(
  damage: StreamDamage,
  name: string | undefined,
  log: Log,
  platformLog: PlatformLog,
): void {
  const { app, first, last, isNew } = damage;
  log.warn({ app, first, last }, describeDamage(damage, name));
  if (isNew && name !== undefined)
    platformLog.write(app, 'heroku', 'logplex', PlatformLinePriority.loss, lostLinesMessage(first, last));
}

/** Tells an app's stream what was lost while no more of its lines could wait to be stored. */
function reportHeldUp(app: AppId, { sinceMs, lost }: HeldUpOutcome, platformLog: PlatformLog): void {
  if (lost === 0) return;
  const seconds = Math.round((Date.now() - sinceMs) / 1_000);
  const message = `${platformErrorTitle('L12')}: ${lost} messages dropped since ${timestampText(sinceMs)}: lines of this app could not be stored for ${seconds} s, and these came over UDP.`;
  platformLog.write(app, 'heroku', 'logplex', PlatformLinePriority.loss, message);
}

/** The router with its metrics; closing it stores what was taken, and says what could not be stored. */
function openRouter(
  settings: Settings,
  store: Store,
  metrics: Registry,
  counts: StoreCounts,
  appName: (app: AppId) => Promise<string | undefined>,
  log: Log,
  onReleased: (app: AppId, outcome: HeldUpOutcome) => void,
): { router: LogRouter; close: () => Promise<void> } {
  const logMetrics = new LogMetrics(metrics, appName);
  const observeBatch = registerBatchMetrics(metrics);
  const warnings = new Throttle(WARN_INTERVAL_MS);
  const heldUpWarnings = new Throttle(WARN_INTERVAL_MS);
  const router = new LogRouter(store, {
    pendingBytesMax: settings.pendingBytes,
    onAppendFailed: (app, error) => {
      counts.onAppendFailed();
      // What is wrong with the store was said when it began.
      if (store.trouble === undefined && warnings.allow())
        log.warn({ app, err: error }, 'lines can not be stored for now; senders are asked to wait');
    },
    onHeldUp: (app, error) => {
      if (store.trouble !== undefined || !heldUpWarnings.allow()) return;
      void appName(app)
        .catch(() => undefined)
        .then((name) =>
          log.warn(
            { app: name ?? app, err: error },
            'no more lines of this app may wait: connections that bring some are held up, and datagrams are lost, until they can be stored',
          ),
        );
    },
    onReleased: (app, outcome) => {
      log.info({ app, lost: outcome.lost }, "the app's lines are stored again");
      onReleased(app, outcome);
    },
    onBatchStored: (app, batch, afterMs) => {
      observeBatch(batch.count, batch.bytes.length, afterMs);
      logMetrics.recordBatch(app, batch.bytes);
    },
  });
  const close = async (): Promise<void> => {
    const lost = await router.close(GRACE_MS);
    if (lost > 0)
      log.warn({ lost }, `${lost} lines could not be stored before the end; they were not acknowledged`);
  };
  return { router, close };
}
