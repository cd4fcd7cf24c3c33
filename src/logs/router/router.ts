/**
 * The router: the only joint between ways in and ways out. Sources look tokens up here and hand their lines to the
 * gatherer of the token's app; it batches them and appends them to the app's stream.
 */
import type { Appended, AppId, Store } from '../store/contract.ts';
import type { Batch } from '../syslog/batch.ts';
import { Gatherer, type Load } from './gatherer.ts';
import { type Tenant, Tenants } from './tenants.ts';

/** An app's gatherer is given up after it was unused for this long. */
const UNUSED_MS = 30_000;

export interface RouterOptions {
  /** Bytes that may wait to be stored before sources have to pause or are turned away. */
  readonly pendingBytesMax: number;
  /** Told when an append fails: once an app and outage would be too much, so the caller limits its own rate. */
  readonly onFailure: (app: AppId, error: unknown) => void;
  /** Told of every batch that is durable, so long after its first line had come: it must be quick. */
  readonly onStored?: (app: AppId, batch: Batch, afterMs: number) => void;
}

export class Router implements Load {
  private readonly store: Store;
  private readonly options: RouterOptions;
  private readonly tenants: Tenants;
  private readonly gatherers = new Map<AppId, Gatherer>();
  private readonly relief = new Set<() => void>();
  private readonly sweep: NodeJS.Timeout;
  private pendingBytes = 0;

  constructor(store: Store, options: RouterOptions) {
    this.store = store;
    this.options = options;
    this.tenants = new Tenants(store);
    this.sweep = setInterval(() => this.sweepUnused(), UNUSED_MS);
    this.sweep.unref();
  }

  /** Too much waits to be stored: sources that can pause do, the others turn their lines away and count them. */
  get congested(): boolean {
    return this.pendingBytes > this.options.pendingBytesMax;
  }

  /** Grows when tokens were made or revoked: whoever remembers a tenant asks again. */
  get tokensVersion(): number {
    return this.tenants.version;
  }

  /** Calls `resume` once, when the router isn't congested any more. */
  whenRelieved(resume: () => void): void {
    this.relief.add(resume);
  }

  /** The token's tenant; null when there is none, undefined when {@link loadTenant} has to be asked. */
  findTenant(token: string): Tenant | null | undefined {
    return this.tenants.find(token);
  }

  /** Asks the store for a token. */
  loadTenant(token: string): Promise<Tenant | null> {
    return this.tenants.load(token);
  }

  /** Where an app's lines are gathered. */
  gatherer(app: AppId): Gatherer {
    let gatherer = this.gatherers.get(app);
    if (!gatherer) {
      gatherer = new Gatherer(app, this.store, this);
      this.gatherers.set(app, gatherer);
    }
    return gatherer;
  }

  /** Appends a batch that has a name, past the gatherer: the same name again stores nothing. */
  async appendFrame(app: AppId, batch: Batch, frameId: string): Promise<Appended> {
    const bytes = batch.bytes.length;
    const startedMs = performance.now();
    this.pending(bytes);
    try {
      const appended = await this.store.append(app, batch, { frameId });
      if (!appended.duplicate) this.stored(app, batch, performance.now() - startedMs);
      return appended;
    } catch (error) {
      this.failed(app, error);
      throw error;
    } finally {
      this.pending(-bytes);
    }
  }

  /** Stores what is left, for up to `graceMs`, and stops; resolves with the number of lines that could not be stored. */
  async close(graceMs: number): Promise<number> {
    clearInterval(this.sweep);
    const left = await Promise.all([...this.gatherers.values()].map((gatherer) => gatherer.flush(graceMs)));
    return left.reduce((sum, lines) => sum + lines, 0);
  }

  pending(bytes: number): void {
    const before = this.congested;
    this.pendingBytes += bytes;
    if (!before || this.congested) return;
    const waiting = [...this.relief];
    this.relief.clear();
    for (const resume of waiting) resume();
  }

  stored(app: AppId, batch: Batch, afterMs: number): void {
    this.options.onStored?.(app, batch, afterMs);
  }

  /** Bytes that wait to be stored. */
  get waitingBytes(): number {
    return this.pendingBytes;
  }

  failed(app: AppId, error: unknown): void {
    this.options.onFailure(app, error);
  }

  private sweepUnused(): void {
    const before = Date.now() - UNUSED_MS;
    for (const [app, gatherer] of this.gatherers)
      if (gatherer.idle && gatherer.usedAtMs < before) this.gatherers.delete(app);
  }
}
