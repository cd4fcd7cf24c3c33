/**
 * Add-ons: servers on this machine, one for each app that asked, started with this server and stopped with it. What they
 * say goes into their app's stream.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TailraceError } from '../../../common/errors.ts';
import type { AppId, Store } from '../../../logs/store/contract.ts';
import { hostEnvironment } from '../../build/slug-files.ts';
import { restartDelayMs } from '../../processes/config/restart-delay.ts';
import { Dyno } from '../../processes/dyno.ts';
import type { DynoLedger } from '../../processes/dyno-ledger.ts';
import { APP_PRIORITY, type RunSink } from '../../processes/output/line-sink.ts';
import { type Ports, portAnswers } from '../../processes/ports.ts';
import type { AddonServices } from '../contract.ts';
import { type ProgramRecord, SERVICES, serviceName } from './addon-services.ts';

/** First port of add-ons. */
const BASE_PORT = 28_000;
const GRACE_MS = 10_000;
/** How long the first start may take. */
const READY_MS = 20_000;

interface Running {
  readonly app: AppId;
  stop(): Promise<void>;
}

export interface AddonProgramsOptions {
  readonly store: Store;
  /** Where they keep their data. */
  readonly folder: string;
  readonly ports: Ports;
  readonly ledger: () => DynoLedger;
  /** Takes the lines of an app's add-ons. */
  readonly lines: (app: AppId) => RunSink;
}

export class AddonPrograms implements AddonServices {
  private readonly options: AddonProgramsOptions;
  private readonly running = new Map<string, Running>();

  constructor(options: AddonProgramsOptions) {
    this.options = options;
  }

  available(): { name: string; description: string }[] {
    return Object.entries(SERVICES)
      .filter(([, { find }]) => find())
      .map(([name, { description }]) => ({ name, description }));
  }

  find(typed: string): string {
    const name = serviceName(typed);
    const available = this.available().map((service) => service.name);
    if (available.includes(name)) return name;
    const service = SERVICES[name];
    throw new TailraceError(
      'not_found',
      service
        ? `Couldn't find that add-on service: ${service.program} is not installed on the server.`
        : `Couldn't find that add-on service (${name}); there are: ${available.join(', ') || 'none'}.`,
    );
  }

  async create(app: AppId, service: string, id: string): Promise<Record<string, string>> {
    const port = await this.options.ports.take(BASE_PORT);
    const record = { id, service, port, password: randomBytes(18).toString('hex') };
    try {
      const folder = await this.folder(record);
      await SERVICES[service].prepare?.(folder, record);
      await this.options.store.transact(app, [{ key: `addon/${id}`, value: record }]);
      await this.start(app, record);
      // Whoever gets its address may use it at once.
      await portAnswers(port, AbortSignal.timeout(READY_MS));
    } catch (error) {
      this.options.ports.giveBack(port);
      await this.destroy(app, id);
      throw error;
    }
    return SERVICES[service].config(record);
  }

  async destroy(app: AppId, id: string): Promise<void> {
    await this.running.get(id)?.stop();
    this.running.delete(id);
    const record = await this.options.store.get<ProgramRecord>(app, `addon/${id}`);
    if (record) this.options.ports.giveBack(record.value.port);
    await this.options.store.transact(app, [{ key: `addon/${id}`, value: undefined }]);
    await rm(join(this.options.folder, id), { recursive: true, force: true });
  }

  /** Starts those of an app again. */
  async open(app: AppId): Promise<void> {
    for (const { value } of await this.options.store.list<ProgramRecord>(app, 'addon/'))
      if (SERVICES[value.service]) await this.start(app, value);
  }

  /** Ends those of an app, and removes what they hold. */
  async removeAll(app: AppId): Promise<void> {
    for (const { value } of await this.options.store.list<ProgramRecord>(app, 'addon/'))
      await this.destroy(app, value.id);
  }

  async close(): Promise<void> {
    await Promise.all([...this.running.values()].map((running) => running.stop()));
  }

  private async folder(record: ProgramRecord): Promise<string> {
    const folder = join(this.options.folder, record.id);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  /** Keeps it running until it is stopped. */
  private async start(app: AppId, record: ProgramRecord): Promise<void> {
    const folder = await this.folder(record);
    const service = SERVICES[record.service];
    for (const [file, text] of Object.entries(service.files(record)))
      await writeFile(join(folder, file), text, { mode: 0o600 });
    const lines = this.options.lines(app);
    const name = `${record.service}.1`;
    // What an owner of an add-on has no use for stays here.
    const own: RunSink = {
      line: (source, _dyno, _priority, text) => {
        if (source === 'app') lines.line('app', name, APP_PRIORITY, text);
      },
      lines: (_source, _dyno, _priority, run, onRoom) => lines.lines('app', name, APP_PRIORITY, run, onRoom),
    };
    let dyno: Dyno | undefined;
    let over = false;
    let wake = (): void => {};
    const ended = (async () => {
      for (let crashes = 1; !over; crashes++) {
        dyno = new Dyno({
          name,
          type: record.service,
          command: service.command(),
          cwd: folder,
          env: hostEnvironment(process.env),
          lines: own,
          id: record.id,
        });
        dyno.start();
        const { pid } = dyno.info();
        if (pid !== undefined) this.options.ledger().add(pid, record.id, name);
        await dyno.exited;
        if (pid !== undefined) this.options.ledger().remove(pid);
        if (over) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, restartDelayMs(crashes)).unref();
        });
      }
    })();
    const stop = async (): Promise<void> => {
      over = true;
      wake();
      void dyno?.stop(GRACE_MS);
      await ended;
    };
    this.running.set(record.id, { app, stop });
  }
}
