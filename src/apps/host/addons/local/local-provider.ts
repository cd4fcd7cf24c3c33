/**
 * Add-ons on this machine: servers, each for one app, started with this server and stopped with it. Their output goes to the app's stream.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf, systemCode, TailraceError } from '../../../../common/errors.ts';
import { isDiskFull } from '../../../../common/files/file-error.ts';
import type { Log } from '../../../../common/log.ts';
import { errorMessage } from '../../../../common/text/error-message.ts';
import type { AppId } from '../../../../logs/store/contract.ts';
import type { AdoptedDyno } from '../../../processes/dyno.ts';
import type { ChunkSink } from '../../../processes/output/line-sink.ts';
import type { DynoPidFile } from '../../../processes/pid-file.ts';
import { firstPortOf, type PortAllocator } from '../../../processes/ports.ts';
import type { AddonOwner } from '../../handover/kept-dynos.ts';
import type { AddonPlan, CatalogService } from '../catalog/catalog-entry.ts';
import { planOf } from '../catalog/find-service.ts';
import type { AddonRecord } from '../model/addon-record.ts';
import type {
  AddonInfoRow,
  AddonPage,
  AddonProvider,
  AddonReports,
  ProvidedService,
  ProvisionedAddon,
} from '../provider.ts';
import type { LocalInstance, LocalResource, LocalService } from './local-service.ts';
import { type AddonKeeping, RunningInstance } from './running-instance.ts';

/** First port of add-ons, and how many servers begin apart: all of them below the ports that Linux gives to clients. */
const BASE_PORT = 28_000;
const PORT_RANGES = 40;

export interface LocalProviderOptions {
  readonly catalog: readonly CatalogService[];
  readonly services: readonly LocalService[];
  /** For their data. */
  readonly folder: string;
  readonly ports: PortAllocator;
  readonly pidFile: () => DynoPidFile;
  /** Keeps their programs while this server is restarted; unset: they end with it. */
  readonly keeping?: AddonKeeping;
  /** Takes the lines of an app's add-ons. */
  readonly lines: (app: AppId) => ChunkSink;
  readonly reports: AddonReports;
  /** Where this server is for those that didn't ask it. */
  readonly publicUrl: () => string;
  readonly log: Log;
}

export class LocalProvider implements AddonProvider {
  private readonly options: LocalProviderOptions;
  private readonly running = new Map<string, RunningInstance>();
  /** Add-ons that are being made: nobody has their addresses yet. */
  private readonly provisioning = new Set<string>();
  /** Process numbers in use, by app and process type: `<app> redis` → 1, 2. */
  private readonly numbers = new Map<string, Set<number>>();

  constructor(options: LocalProviderOptions) {
    this.options = options;
  }

  async services(): Promise<readonly ProvidedService[]> {
    return this.options.catalog
      .filter(({ provider }) => provider === 'local')
      .map((entry) => ({
        ...entry,
        missing: this.service(entry.name)
          ? this.service(entry.name)?.missing?.()
          : `${entry.humanName} can't run on this server yet: attach one that runs elsewhere with --url ADDRESS.`,
      }));
  }

  async provision(addon: AddonRecord, plan: AddonPlan): Promise<ProvisionedAddon> {
    const service = this.requireService(addon);
    const port = await this.options.ports.allocate(this.firstPort());
    const before: LocalResource = {
      port,
      pagePort: service.hasPagePort ? await this.options.ports.allocate(this.firstPort()) : undefined,
      password: randomBytes(18).toString('hex'),
      number: this.takeNumber(addon),
    };
    this.provisioning.add(addon.id);
    try {
      const prepared = await this.prepare(addon, plan, before);
      await service.initialize?.(prepared);
      const running = this.start(addon, service, prepared);
      // The app may connect at once.
      const instance = await running.waitUntilReady();
      return {
        state: 'provisioned',
        facts: service.facts(instance),
        resource: { ...before, port: instance.port },
        message: service.message?.(instance),
        logDrainUrl: service.logDrainUrl?.(instance),
      };
    } catch (error) {
      await this.end({ ...addon, resource: before });
      throw error;
    } finally {
      this.provisioning.delete(addon.id);
    }
  }

  async changePlan(addon: AddonRecord, plan: AddonPlan): Promise<ProvisionedAddon> {
    const service = this.requireService(addon);
    const running = this.running.get(addon.id);
    const before = running?.plan ?? plan;
    await service.checkPlan?.({ ...this.instanceOf(addon), plan: before }, plan);
    const restart = async (plan: AddonPlan): Promise<RunningInstance> => {
      await this.running.get(addon.id)?.stop();
      return this.start(addon, service, await this.prepare(addon, plan, resourceOf(addon)));
    };
    try {
      const started = await (await restart(plan)).waitUntilReady();
      return { state: 'provisioned', facts: service.facts(started) };
    } catch (error) {
      // Its record keeps the plan that it had.
      if (before.name !== plan.name) await restart(before);
      throw error;
    }
  }

  async deprovision(addon: AddonRecord): Promise<void> {
    await this.end(addon);
  }

  async resume(addons: readonly AddonRecord[]): Promise<void> {
    // All numbers and ports are known before one is given away.
    for (const addon of addons) this.numbersOf(addon).add(resourceOf(addon).number);
    await Promise.all(
      addons.map((addon) =>
        this.resumeOne(addon).catch((error: unknown) => {
          this.options.log.warn(
            { app: addon.app, addon: addon.name, err: error },
            'an add-on could not be started',
          );
          const said = errorMessage(error);
          this.write(addon, said);
        }),
      ),
    );
  }

  page(addon: AddonRecord): AddonPage | undefined {
    // One of another server has the port of something else here.
    if (!this.running.has(addon.id)) return undefined;
    return this.service(addon.service)?.page?.(this.instanceOf(addon));
  }

  async info(addon: AddonRecord): Promise<readonly AddonInfoRow[]> {
    return (await this.requireService(addon).info?.(this.instanceOf(addon))) ?? [];
  }

  async close(): Promise<void> {
    await Promise.all([...this.running.values()].map((running) => running.stop()));
  }

  /** Stops those that are part of this process, and leaves the others to the next server. */
  async leave(): Promise<void> {
    await Promise.all([...this.running.values()].map((running) => running.leave()));
  }

  private async resumeOne(addon: AddonRecord): Promise<void> {
    const service = this.requireService(addon);
    const before = resourceOf(addon);
    if (await this.takeOver(addon, service, before)) return;
    const port = await this.options.ports.allocate(before.port);
    const pagePort = before.pagePort && (await this.options.ports.allocate(before.pagePort));
    const resource = { ...before, port, pagePort };
    const instance = await this.prepare(addon, this.planOf(addon), resource);
    this.start(addon, service, instance);
    if (port === before.port && pagePort === before.pagePort) return;
    await this.reportPort(addon, service, instance, before.port);
  }

  /** Goes on with a program that a server before has started. @returns false when there is none */
  private async takeOver(
    addon: AddonRecord,
    service: LocalService,
    resource: LocalResource,
  ): Promise<boolean> {
    const { keeping, ports } = this.options;
    const adopted = keeping?.takeAddon(addon.id);
    if (!adopted) return false;
    for (const port of [resource.port, resource.pagePort]) if (port) await ports.claim(port);
    const instance = await this.prepare(addon, this.planOf(addon), resource);
    const running = this.start(addon, service, instance, adopted);
    const { version } = adopted.note.owner as AddonOwner;
    const isOutdated =
      service.kind === 'process' && service.isOwnProgram === true && version !== keeping?.version;
    if (!isOutdated) return true;
    await running.stop();
    for (const port of [resource.port, resource.pagePort]) if (port) ports.release(port);
    return false;
  }

  private start(
    addon: AddonRecord,
    service: LocalService,
    instance: LocalInstance,
    adopted?: AdoptedDyno,
  ): RunningInstance {
    const running = new RunningInstance({
      ...this.options,
      app: addon.app,
      service,
      instance,
      process: `${this.catalogEntry(addon).process}.${instance.number}`,
      movePort: (before) => this.movePort(addon, service, before),
      names: () => this.options.reports.sampleNames(addon),
      lines: this.options.lines(addon.app),
    });
    this.running.set(addon.id, running);
    running.start(adopted);
    return running;
  }

  /** Its program is to be started again, and another one has its port meanwhile. */
  private async movePort(
    addon: AddonRecord,
    service: LocalService,
    before: LocalInstance,
  ): Promise<LocalInstance> {
    const port = await this.options.ports.allocate(before.port);
    this.options.ports.release(before.port);
    const instance = { ...before, port };
    if (this.provisioning.has(addon.id)) return instance;
    this.reportPort(addon, service, instance, before.port).catch((error: unknown) =>
      this.options.log.warn(
        { addon: before.name, err: error },
        "an add-on's apps could not be told its port",
      ),
    );
    return instance;
  }

  private async reportPort(
    addon: AddonRecord,
    service: LocalService,
    instance: LocalInstance,
    before: number,
  ): Promise<void> {
    const { port, pagePort, password, number } = instance;
    const resource: LocalResource = { port, pagePort, password, number };
    this.options.log.warn(
      { addon: addon.name, before, port },
      "an add-on's port is taken by another program: it listens on another one",
    );
    if (port !== before)
      this.write(
        { ...addon, resource },
        `Another program on the server has port ${before}: ${addon.name} listens on ${port} from now on, and the apps that have it are released with its new address.`,
      );
    await this.options.reports.updateFacts(addon.id, service.facts(instance), resource);
    const logDrainUrl = service.logDrainUrl?.(instance);
    if (logDrainUrl !== undefined) await this.options.reports.updateLogDrain(addon.id, logDrainUrl);
  }

  /** Stops it, and deletes what it holds. */
  private async end(addon: AddonRecord): Promise<void> {
    await this.running.get(addon.id)?.stop();
    await this.options.keeping?.endAddon(addon.id);
    this.running.delete(addon.id);
    const { port, pagePort, number } = resourceOf(addon);
    this.options.ports.release(port);
    if (pagePort !== undefined) this.options.ports.release(pagePort);
    this.numbersOf(addon).delete(number);
    const folder = join(this.options.folder, addon.id);
    await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch((error: unknown) => {
      // Where there is no folder of add-ons, there is none of this one.
      if (systemCode(error) !== 'ENOTDIR') throw error;
    });
  }

  private async prepare(
    addon: AddonRecord,
    plan: AddonPlan,
    resource: LocalResource,
  ): Promise<LocalInstance> {
    const instance = this.instanceWith(addon, plan, resource);
    await mkdir(instance.folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      throw new TailraceError(
        isDiskFull(error) ? 'store_full' : 'unavailable',
        `${addon.name} has no folder on the server (${reasonOf(error)}): make space, or look at ${this.options.folder}, and try again.`,
        { cause: error },
      );
    });
    return instance;
  }

  private instanceOf(addon: AddonRecord): LocalInstance {
    return this.instanceWith(addon, this.planOf(addon), resourceOf(addon));
  }

  private instanceWith({ id, name }: AddonRecord, plan: AddonPlan, resource: LocalResource): LocalInstance {
    const folder = join(this.options.folder, id);
    return { ...resource, id, name, folder, plan, pageUrl: `${this.options.publicUrl()}/addons/${id}/page` };
  }

  private planOf(addon: AddonRecord): AddonPlan {
    return planOf(this.catalogEntry(addon), addon.plan);
  }

  private catalogEntry({ service }: AddonRecord): CatalogService {
    const entry = this.options.catalog.find(({ name }) => name === service);
    if (entry) return entry;
    throw new TailraceError('unavailable', `This server knows no add-on service ${service}.`);
  }

  private service(name: string): LocalService | undefined {
    return this.options.services.find(({ service }) => service === name);
  }

  private requireService({ service }: AddonRecord): LocalService {
    const found = this.service(service);
    if (found) return found;
    throw new TailraceError('unavailable', `This server can't run ${service}.`);
  }

  private write(addon: AddonRecord, text: string): void {
    const entry = this.options.catalog.find(({ name }) => name === addon.service);
    const process = `${entry?.process ?? addon.service}.${resourceOf(addon).number}`;
    this.options.lines(addon.app).writeLine('app', process, ERROR_PRIORITY, text);
  }

  private takeNumber(addon: AddonRecord): number {
    const taken = this.numbersOf(addon);
    let number = 1;
    while (taken.has(number)) number++;
    taken.add(number);
    return number;
  }

  private numbersOf({ app, service }: AddonRecord): Set<number> {
    const key = `${app} ${service}`;
    const numbers = this.numbers.get(key) ?? new Set();
    this.numbers.set(key, numbers);
    return numbers;
  }

  private firstPort(): number {
    return firstPortOf(this.options.folder, BASE_PORT, PORT_RANGES);
  }
}

/** `user.err` (RFC 5424 section 6.2.1). */
const ERROR_PRIORITY = 11;

function resourceOf({ resource }: AddonRecord): LocalResource {
  const { port = 0, pagePort, password = '', number = 0 } = (resource ?? {}) as Partial<LocalResource>;
  return { port, pagePort, password, number };
}
