import type { AppId } from '../../logs/store/contract.ts';
import { Shipper } from '../forwarder/shipper.ts';
import type { RunSink } from '../processes/output/line-sink.ts';
import type { Directory } from '../records/directory.ts';

export interface AppLinesOptions {
  readonly directory: Pick<Directory, 'tokens'>;
  /** The server to which the lines go, and a key for it. */
  readonly url: () => string;
  readonly key: string;
  /** The app's dynos should pause, or may go on. */
  readonly onPressure: (app: AppId, full: boolean) => void;
  readonly warn: (fields: object, message: string) => void;
}

/** After the store has failed to say an app's tokens. */
const RETRY_MS = 1_000;

/** The lines of the apps that run here, on their way to their streams: one shipper for each app. */
export class AppLines {
  private readonly options: AppLinesOptions;
  private readonly shippers = new Map<AppId, Shipper>();
  /** On their way to being made. */
  private readonly coming = new Map<AppId, Promise<Shipper>>();
  /** What to do with the shippers that are being made, before anybody else has them. */
  private readonly early = new Map<AppId, ((shipper: Shipper) => void)[]>();
  /** Whose tokens are asked for again soon. */
  private readonly retrying = new Set<AppId>();

  constructor(options: AppLinesOptions) {
    this.options = options;
  }

  /** Takes an app's lines, also before its tokens are known. */
  sink(app: AppId): RunSink {
    return {
      line: (source, dyno, priority, message) => {
        const shipper = this.shippers.get(app);
        if (shipper) return shipper.line(source, dyno, priority, message);
        const kept = typeof message === 'string' ? message : Buffer.from(message);
        this.once(app, (made) => made.line(source, dyno, priority, kept));
      },
      lines: (source, dyno, priority, run, onRoom) => {
        const shipper = this.shippers.get(app);
        if (shipper) return shipper.lines(source, dyno, priority, run, onRoom);
        this.once(app, onRoom);
        return 0;
      },
    };
  }

  async shipper(app: AppId): Promise<Shipper> {
    return this.shippers.get(app) ?? this.make(app);
  }

  /** Sends what waits. */
  async close(app: AppId): Promise<void> {
    await this.shippers.get(app)?.close();
    this.shippers.delete(app);
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.shippers.keys()].map((app) => this.close(app)));
  }

  /** Calls it, in the order of the calls, when the app's shipper is there. */
  private once(app: AppId, call: (shipper: Shipper) => void): void {
    const early = this.early.get(app) ?? [];
    this.early.set(app, early);
    early.push(call);
    this.makeSurely(app);
  }

  /** Makes the app's shipper, however often the store has to be asked. */
  private makeSurely(app: AppId): void {
    this.make(app).catch((error: unknown) => {
      if (this.retrying.has(app)) return;
      this.options.warn(
        { app, err: error },
        "an app's tokens could not be read; trying again until they are",
      );
      this.retrying.add(app);
      setTimeout(() => {
        this.retrying.delete(app);
        this.makeSurely(app);
      }, RETRY_MS).unref();
    });
  }

  private make(app: AppId): Promise<Shipper> {
    const coming = this.coming.get(app) ?? this.made(app).finally(() => this.coming.delete(app));
    this.coming.set(app, coming);
    return coming;
  }

  private async made(app: AppId): Promise<Shipper> {
    const { directory, url, key, onPressure, warn } = this.options;
    const all = await directory.tokens(app);
    const shipper = new Shipper({
      url: url(),
      key,
      tokens: Object.fromEntries(all.map(({ source, token }) => [source, token])),
      onPressure: (full) => onPressure(app, full),
      onTrouble: (message) => warn({ app }, message),
    });
    this.shippers.set(app, shipper);
    for (const call of this.early.get(app) ?? []) call(shipper);
    this.early.delete(app);
    return shipper;
  }
}
