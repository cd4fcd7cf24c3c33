import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../common/log.ts';
import { readBootId } from '../../common/processes/boot-id.ts';
import type { AppId } from '../../logs/store/contract.ts';
import { BatchJournal } from '../forwarder/files/batch-journal.ts';
import { JournaledQueue } from '../forwarder/files/journaled-queue.ts';
import { SHIPPER_LIMITS, Shipper } from '../forwarder/shipper.ts';
import type { ChunkSink } from '../processes/output/line-sink.ts';
import type { AppRegistry } from '../records/app-registry.ts';

interface AppShippersOptions {
  readonly appRegistry: Pick<AppRegistry, 'listTokens'>;
  /** The server that the lines are sent to, and a key for it. */
  readonly url: () => string;
  readonly key: string;
  /** Where lines are kept that aren't stored yet, for the server after one that is killed. */
  readonly journalFolder: string;
  /** The app's dynos should pause, or may go on. */
  readonly onBackpressure: (app: AppId, full: boolean) => void;
  readonly log: Log;
}

/** After an app's tokens could not be read from the store. */
const RETRY_MS = 1_000;

/** Sends the lines of the apps that run here to their streams: one shipper for each app. */
export class AppShippers {
  private readonly options: AppShippersOptions;
  /** Of this start of the machine: what an earlier one has left may be anything. Undefined: which one it is can't be told. */
  private readonly journalFolder: string | undefined;
  private readonly shippers = new Map<AppId, Shipper>();
  /** Shippers whose app's tokens are being read. */
  private readonly creating = new Map<AppId, Promise<Shipper>>();
  /** Calls to make on a shipper as soon as it is created, in this order and before all others. */
  private readonly pendingCalls = new Map<AppId, ((shipper: Shipper) => void)[]>();
  /** Apps whose tokens will be read again after a failure. */
  private readonly retryScheduled = new Set<AppId>();
  private isClosed = false;

  constructor(options: AppShippersOptions) {
    this.options = options;
    const bootId = readBootId();
    this.journalFolder = bootId === '' ? undefined : join(options.journalFolder, bootId);
  }

  /** Sends what a server that was killed has left of these apps, and removes what it has left of others. */
  recover(apps: ReadonlySet<AppId>): void {
    const { journalFolder: all } = this.options;
    for (const name of readFolder(all)) if (join(all, name) !== this.journalFolder) remove(join(all, name));
    if (this.journalFolder === undefined) return;
    for (const app of readFolder(this.journalFolder) as AppId[]) {
      const folder = join(this.journalFolder, app);
      if (!apps.has(app)) remove(folder);
      else if (!this.shippers.has(app)) this.createWithRetry(app);
    }
  }

  /** Takes an app's lines, also before its shipper is created. */
  sink(app: AppId): ChunkSink {
    return {
      writeLine: (source, dyno, priority, message) => {
        const shipper = this.shippers.get(app);
        if (shipper) return shipper.writeLine(source, dyno, priority, message);
        const copied = typeof message === 'string' ? message : Buffer.from(message);
        this.whenCreated(app, (created) => created.writeLine(source, dyno, priority, copied));
      },
      writeChunk: (source, dyno, priority, chunk, onWritable) => {
        const shipper = this.shippers.get(app);
        if (shipper) return shipper.writeChunk(source, dyno, priority, chunk, onWritable);
        this.whenCreated(app, onWritable);
        return 0;
      },
    };
  }

  /** The app's shipper; it is made when its tokens are read. @throws as the store does */
  async shipperFor(app: AppId): Promise<Shipper> {
    return this.shippers.get(app) ?? this.getOrCreate(app);
  }

  /** Sends what is queued, and closes the app's shipper. */
  async close(app: AppId): Promise<void> {
    await this.shippers.get(app)?.close();
    this.shippers.delete(app);
  }

  /** From now on no lines are sent: the next server, which has its own key, would refuse them. */
  async closeAll(): Promise<void> {
    this.isClosed = true;
    await Promise.all([...this.shippers.keys()].map((app) => this.close(app)));
  }

  /** Makes a call, in the order of the calls, when the app's shipper is created. */
  private whenCreated(app: AppId, call: (shipper: Shipper) => void): void {
    if (this.isClosed) {
      this.options.log.warn(
        { app },
        'what came for the log of an app when the server had ended is not in it',
      );
      return;
    }
    const calls = this.pendingCalls.get(app) ?? [];
    this.pendingCalls.set(app, calls);
    calls.push(call);
    this.createWithRetry(app);
  }

  /** Creates the app's shipper; retries until its tokens can be read. */
  private createWithRetry(app: AppId): void {
    this.getOrCreate(app).catch((error: unknown) => {
      if (this.retryScheduled.has(app)) return;
      this.options.log.warn(
        { app, err: error },
        "an app's tokens could not be read; trying again until they are",
      );
      this.retryScheduled.add(app);
      setTimeout(() => {
        this.retryScheduled.delete(app);
        this.createWithRetry(app);
      }, RETRY_MS).unref();
    });
  }

  private getOrCreate(app: AppId): Promise<Shipper> {
    const creating = this.creating.get(app) ?? this.create(app).finally(() => this.creating.delete(app));
    this.creating.set(app, creating);
    return creating;
  }

  private async create(app: AppId): Promise<Shipper> {
    const { appRegistry, url, key, onBackpressure, log } = this.options;
    const all = await appRegistry.listTokens(app);
    const queue = this.openQueue(app);
    const shipper = new Shipper({
      ...(queue && { queue }),
      url: url(),
      key,
      tokens: Object.fromEntries(all.map(({ source, token }) => [source, token])),
      onBackpressure: (full) => onBackpressure(app, full),
      onWarning: (message) => log.warn({ app }, message),
    });
    this.shippers.set(app, shipper);
    for (const call of this.pendingCalls.get(app) ?? []) call(shipper);
    this.pendingCalls.delete(app);
    return shipper;
  }

  /** Undefined: lines are in memory alone. */
  private openQueue(app: AppId): JournaledQueue | undefined {
    if (this.journalFolder === undefined) return undefined;
    const { log } = this.options;
    try {
      const folder = join(this.journalFolder, app);
      return new JournaledQueue(
        SHIPPER_LIMITS,
        new BatchJournal(folder, (message) => log.warn({ app }, message)),
      );
    } catch (error) {
      log.warn({ app, err: error }, "an app's lines can't be kept for the case that this server is killed");
      return undefined;
    }
  }
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // there is none yet
  }
}

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
