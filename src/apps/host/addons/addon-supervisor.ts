/**
 * Add-ons: servers on this machine, each for one app, started with this server and stopped with it. Their output goes to
 * the app's stream.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TailraceError } from '../../../common/errors.ts';
import type { Log } from '../../../common/log.ts';
import type { AppId, Store } from '../../../logs/store/contract.ts';
import { hostEnvironment } from '../../build/slug-files.ts';
import { restartDelayMs } from '../../processes/config/restart-delay.ts';
import { Dyno } from '../../processes/dyno.ts';
import { APP_PRIORITY, type ChunkSink } from '../../processes/output/line-sink.ts';
import type { DynoPidFile } from '../../processes/pid-file.ts';
import { firstPortOf, type PortAllocator, waitForPort } from '../../processes/ports.ts';
import type { AddonServices } from '../contract.ts';
import { ADDON_SERVICES, type AddonInstanceRecord, canonicalServiceName } from './addon-services.ts';

/** First port of add-ons, and how many servers begin apart: all of them below the ports that Linux gives to clients. */
const BASE_PORT = 28_000;
const PORT_RANGES = 40;
const GRACE_MS = 10_000;
/** How long the first start may take until its port accepts connections. */
const READY_TIMEOUT_MS = 20_000;

interface RunningAddon {
  stop(): Promise<void>;
}

interface AddonSupervisorOptions {
  readonly store: Store;
  /** For their data. */
  readonly folder: string;
  readonly ports: PortAllocator;
  readonly pidFile: () => DynoPidFile;
  /** Takes the lines of an app's add-ons. */
  readonly lines: (app: AppId) => ChunkSink;
  readonly log: Log;
}

export class AddonSupervisor implements AddonServices {
  private readonly options: AddonSupervisorOptions;
  private readonly running = new Map<string, RunningAddon>();

  constructor(options: AddonSupervisorOptions) {
    this.options = options;
  }

  available(): { name: string; description: string }[] {
    return Object.entries(ADDON_SERVICES)
      .filter(([, { locate }]) => locate())
      .map(([name, { description }]) => ({ name, description }));
  }

  resolveService(typed: string): string {
    const name = canonicalServiceName(typed);
    const available = this.available().map((service) => service.name);
    if (available.includes(name)) return name;
    const service = ADDON_SERVICES[name];
    throw new TailraceError(
      'not_found',
      service
        ? `Couldn't find that add-on service: ${service.program} is not installed on the server.`
        : `Couldn't find that add-on service (${name}); there are: ${available.join(', ') || 'none'}.`,
    );
  }

  async create(app: AppId, service: string, id: string): Promise<Record<string, string>> {
    const firstPort = firstPortOf(this.options.folder, BASE_PORT, PORT_RANGES);
    const port = await this.options.ports.allocate(firstPort);
    const record = { id, service, port, password: randomBytes(18).toString('hex') };
    try {
      const folder = await this.prepareFolder(record);
      await ADDON_SERVICES[service].initialize?.(folder, record);
      await this.options.store.transact(app, [{ key: `addon/${id}`, value: record }]);
      await this.start(app, record);
      // The app may connect at once.
      await waitForPort(port, AbortSignal.timeout(READY_TIMEOUT_MS));
    } catch (error) {
      this.options.ports.release(port);
      await this.destroy(app, id);
      throw error;
    }
    return ADDON_SERVICES[service].configVars(record);
  }

  async destroy(app: AppId, id: string): Promise<void> {
    await this.running.get(id)?.stop();
    this.running.delete(id);
    const record = await this.options.store.get<AddonInstanceRecord>(app, `addon/${id}`);
    if (record) this.options.ports.release(record.value.port);
    await this.options.store.transact(app, [{ key: `addon/${id}`, value: undefined }]);
    await rm(join(this.options.folder, id), { recursive: true, force: true });
  }

  /** Starts the add-ons that an app has. */
  async startAll(app: AppId): Promise<void> {
    for (const { value } of await this.options.store.list<AddonInstanceRecord>(app, 'addon/'))
      if (ADDON_SERVICES[value.service]) await this.start(app, value);
  }

  /** Stops the add-ons of an app, and deletes their data. */
  async removeAll(app: AppId): Promise<void> {
    for (const { value } of await this.options.store.list<AddonInstanceRecord>(app, 'addon/'))
      await this.destroy(app, value.id);
  }

  async close(): Promise<void> {
    await Promise.all([...this.running.values()].map((running) => running.stop()));
  }

  private async prepareFolder(record: AddonInstanceRecord): Promise<string> {
    const folder = join(this.options.folder, record.id);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  /** Runs the add-on, again after every exit, until it is stopped. */
  private async start(app: AppId, record: AddonInstanceRecord): Promise<void> {
    const folder = await this.prepareFolder(record);
    const service = ADDON_SERVICES[record.service];
    for (const [file, text] of Object.entries(service.configFiles(record)))
      await writeFile(join(folder, file), text, { mode: 0o600 });
    const lines = this.options.lines(app);
    const name = `${record.service}.1`;
    // Platform lines about its process are of no use to the app's owner.
    const appLinesOnly: ChunkSink = {
      writeLine: (source, _dyno, _priority, text) => {
        if (source === 'app') lines.writeLine('app', name, APP_PRIORITY, text);
      },
      writeChunk: (_source, _dyno, _priority, chunk, onWritable) =>
        lines.writeChunk('app', name, APP_PRIORITY, chunk, onWritable),
    };
    let dyno: Dyno | undefined;
    let stopped = false;
    let cancelDelay = (): void => {};
    const ended = (async () => {
      for (let crashes = 1; !stopped; crashes++) {
        dyno = new Dyno({
          name,
          type: record.service,
          command: service.command(),
          cwd: folder,
          env: hostEnvironment(process.env),
          lines: appLinesOnly,
          id: record.id,
        });
        dyno.start();
        const { pid } = dyno.info();
        this.options.log.info({ app, addon: record.id, service: record.service, pid }, 'add-on started');
        if (pid !== undefined) this.options.pidFile().add(pid, record.id, name);
        const { status } = await dyno.exited;
        if (pid !== undefined) this.options.pidFile().remove(pid);
        const ids = { app, addon: record.id, service: record.service, status };
        if (stopped) return this.options.log.info(ids, 'add-on stopped');
        this.options.log.warn(ids, 'an add-on has exited, and is started again');
        await new Promise<void>((resolve) => {
          cancelDelay = resolve;
          setTimeout(resolve, restartDelayMs(crashes)).unref();
        });
      }
    })();
    const stop = async (): Promise<void> => {
      stopped = true;
      cancelDelay();
      void dyno?.stop(GRACE_MS);
      await ended;
    };
    this.running.set(record.id, { stop });
  }
}
