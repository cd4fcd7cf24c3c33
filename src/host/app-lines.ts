import type { Directory } from '../platform/directory.ts';
import type { LineSink } from '../runner/line-sink.ts';
import { Shipper } from '../runner/shipper.ts';
import type { AppId } from '../store/contract.ts';

export interface AppLinesOptions {
  readonly directory: Directory;
  /** The server to which the lines go, and a key for it. */
  readonly url: () => string;
  readonly key: string;
  /** The app's dynos should pause, or may go on. */
  readonly onPressure: (app: AppId, full: boolean) => void;
  readonly warn: (fields: object, message: string) => void;
}

/** The lines of the apps that run here, on their way to their streams: one shipper for each app. */
export class AppLines {
  private readonly options: AppLinesOptions;
  private readonly shippers = new Map<AppId, Shipper>();

  constructor(options: AppLinesOptions) {
    this.options = options;
  }

  /** Takes an app's lines, also before its tokens are known. */
  sink(app: AppId): LineSink {
    return { line: (...line) => void this.shipper(app).then((shipper) => shipper.line(...line)) };
  }

  async shipper(app: AppId): Promise<Shipper> {
    const known = this.shippers.get(app);
    if (known) return known;
    const { directory, url, key, onPressure, warn } = this.options;
    const all = await directory.tokens(app);
    const made = this.shippers.get(app);
    if (made) return made; // by somebody else, meanwhile
    const shipper = new Shipper({
      url: url(),
      key,
      tokens: Object.fromEntries(all.map(({ source, token }) => [source, token])),
      onPressure: (full) => onPressure(app, full),
      onTrouble: (message) => warn({ app }, message),
    });
    this.shippers.set(app, shipper);
    return shipper;
  }

  /** Sends what waits. */
  async close(app: AppId): Promise<void> {
    await this.shippers.get(app)?.close();
    this.shippers.delete(app);
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.shippers.keys()].map((app) => this.close(app)));
  }
}
