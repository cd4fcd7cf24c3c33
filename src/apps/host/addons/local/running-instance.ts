/** One local add-on that runs: its process, started again after every exit until it is stopped, or the part of this process that it is. */

import { reasonOf, TailraceError } from '../../../../common/errors.ts';
import { isDiskFull } from '../../../../common/files/file-error.ts';
import type { Log } from '../../../../common/log.ts';
import { errorMessage } from '../../../../common/text/error-message.ts';
import type { AppId } from '../../../../logs/store/contract.ts';
import { hostEnvironment } from '../../../build/slug-files.ts';
import { type AdoptedDyno, Dyno } from '../../../processes/dyno.ts';
import type { KeeperClient } from '../../../processes/keeper/keeper-client.ts';
import { APP_PRIORITY, type ChunkSink, type LineSink } from '../../../processes/output/line-sink.ts';
import type { DynoPidFile } from '../../../processes/pid-file.ts';
import { isPortFree, waitForPort } from '../../../processes/ports.ts';
import type { AddonOwner } from '../../handover/kept-dynos.ts';
import type { AddonPlan } from '../catalog/catalog-entry.ts';
import type { SampleNames } from '../provider.ts';
import type {
  AddonLines,
  EmbeddedInstance,
  LocalInstance,
  LocalService,
  ProcessService,
} from './local-service.ts';
import { describeEnd, RestartBackoff } from './restart-backoff.ts';
import { isFolderFull, writeServiceFiles } from './service-files.ts';

const GRACE_MS = 10_000;
/** How long a start may take until its port accepts connections. */
const READY_TIMEOUT_MS = 20_000;
const SAMPLE_INTERVAL_MS = 60_000;
/** Its port is looked at anew this often while somebody waits for it: it may have another one. */
const PORT_LOOK_MS = 2_000;
/** A port that is still in use after a program's end may be so for a moment: it is looked at again before another one is taken. */
const PORT_RECHECK_MS = 500;
/** Its last words, for the user whose add-on doesn't start. */
const LAST_LINES_MAX = 5;

interface RunningInstanceOptions {
  readonly app: AppId;
  readonly service: LocalService;
  readonly instance: LocalInstance;
  /** `redis.1` */
  readonly process: string;
  /** What it is called now. */
  readonly names: () => Promise<SampleNames>;
  readonly lines: ChunkSink;
  readonly pidFile: () => DynoPidFile;
  /** Keeps it while the server is restarted. */
  readonly keeping?: AddonKeeping;
  /** Another program has its port: gives it another one, and tells its apps. */
  readonly movePort: (instance: LocalInstance) => Promise<LocalInstance>;
  /** Unset: a minute. */
  readonly sampleIntervalMs?: number;
  readonly log: Log;
}

/** What keeps add-ons while the server is restarted. */
export interface AddonKeeping {
  readonly keeper: KeeperClient;
  /** Of this server. */
  readonly version: string;
  /** The process of an add-on that runs already. It is the caller's from now on. */
  takeAddon(id: string): AdoptedDyno | undefined;
  /** Ends that process, if there is one. */
  endAddon(id: string): Promise<void>;
}

export class RunningInstance {
  private readonly options: RunningInstanceOptions;
  private readonly abort = new AbortController();
  /** A start was given up before there was a process. It may be tried again, but nobody should wait for that. */
  private readonly startFailed = new AbortController();
  private instance: LocalInstance;
  private ended: Promise<void> = Promise.resolve();
  private dyno: Dyno | undefined;
  private embedded: EmbeddedInstance | undefined;
  private failure: unknown;
  private lastLines: string[] = [];
  /** Are they of an earlier run? They are kept until this one says something: somebody may ask why it doesn't start. */
  private areLinesOld = false;
  private cancelDelay = (): void => {};
  private sampleTimer: NodeJS.Timeout | undefined;
  private isReady = false;
  private isLeft = false;
  private reader: { line(text: string): void; end(): void } | undefined;
  /** Was it said that it doesn't answer? */
  private isSilent = false;
  /** Was it asked for its samples, and hasn't answered yet? */
  private isAsked = false;

  constructor(options: RunningInstanceOptions) {
    this.options = options;
    this.instance = options.instance;
  }

  get plan(): AddonPlan {
    return this.instance.plan;
  }

  /** @param adopted its program runs already */
  start(adopted?: AdoptedDyno): void {
    const { service, sampleIntervalMs = SAMPLE_INTERVAL_MS } = this.options;
    const running =
      service.kind === 'process' ? this.runProcess(service, adopted) : this.runEmbedded(service);
    this.ended = running.catch((error: unknown) => this.fail(error));
    if (service.samples) {
      this.sampleTimer = setInterval(() => void this.writeSamples(), sampleIntervalMs);
      this.sampleTimer.unref();
    }
  }

  /**
   * Resolves when its port accepts connections, with what it is then: its port may be another one.
   * @throws TailraceError with its last words when it doesn't in time
   */
  async waitUntilReady(): Promise<LocalInstance> {
    const timeout = AbortSignal.any([
      this.abort.signal,
      this.startFailed.signal,
      AbortSignal.timeout(READY_TIMEOUT_MS),
    ]);
    while (!timeout.aborted) {
      const instance = this.instance;
      const look = AbortSignal.any([timeout, AbortSignal.timeout(PORT_LOOK_MS)]);
      if ((await waitForPort(instance.port, look)) === undefined || instance !== this.instance) continue;
      await this.waitForAnswer(instance, timeout);
      if (!timeout.aborted) return instance;
    }
    const { name } = this.instance;
    if (this.failure instanceof TailraceError) throw this.failure;
    if (this.failure)
      throw new TailraceError(
        isDiskFull(this.failure) ? 'store_full' : 'unavailable',
        `${name} could not be started: ${reasonOf(this.failure)}`,
        { cause: this.failure },
      );
    const said = this.lastLines.join(' ').trim();
    throw new TailraceError(
      'unavailable',
      `${name} did not start within ${READY_TIMEOUT_MS / 1_000} seconds; ${said ? `it said: ${said}` : 'it said nothing'}`,
    );
  }

  private async waitForAnswer(instance: LocalInstance, signal: AbortSignal): Promise<void> {
    const { service } = this.options;
    if (service.kind === 'process') await service.waitUntilReady?.(instance, signal);
  }

  /** Ends it, by force after its grace. Resolves when it is gone; it isn't started again. */
  async stop(): Promise<void> {
    clearInterval(this.sampleTimer);
    this.abort.abort();
    this.cancelDelay();
    const { service } = this.options;
    void this.dyno?.stop((service.kind === 'process' ? service.stopGraceMs : undefined) ?? GRACE_MS);
    await this.ended;
    await this.embedded?.close();
    this.embedded = undefined;
  }

  /** Leaves its program to the next server; what is part of this process stops. */
  async leave(): Promise<void> {
    if (!this.options.keeping || this.options.service.kind !== 'process') return this.stop();
    clearInterval(this.sampleTimer);
    this.isLeft = true;
    this.abort.abort();
    this.cancelDelay();
    this.dyno?.leave();
    this.reader?.end();
  }

  private fail(error: unknown): void {
    this.noteFailure(error);
    // Whoever waits for it is told why.
    this.abort.abort();
  }

  /** Says why it could not be started, once for the same reason. */
  private noteFailure(error: unknown): void {
    const { app, process } = this.options;
    const hasBeenSaid = this.failure instanceof Error && this.failure.message === (error as Error).message;
    this.failure = error;
    if (hasBeenSaid) return;
    this.options.log.warn({ app, addon: this.instance.name, err: error }, 'an add-on could not be started');
    this.addonLines.write(
      error instanceof TailraceError ? error.message : `${process} could not be started: ${reasonOf(error)}`,
      ERROR_PRIORITY,
    );
  }

  private async runEmbedded(service: Extract<LocalService, { kind: 'embedded' }>): Promise<void> {
    const embedded = await service.start(this.instance, this.addonLines);
    this.isReady = true;
    if (this.abort.signal.aborted) await embedded.close();
    else this.embedded = embedded;
  }

  /** Runs the program, again after every exit, until it is stopped. */
  private async runProcess(service: ProcessService, adopted?: AdoptedDyno): Promise<void> {
    const backoff = new RestartBackoff();
    if (adopted) await this.delay(await this.runOnce(service, backoff, adopted));
    while (!this.abort.signal.aborted) {
      const delayMs = await this.prepareStart(service).then(
        () => this.runOnce(service, backoff),
        (error: unknown) => {
          // What says what to do waits until that is done; a full disk, say, may have room by itself.
          if (error instanceof TailraceError) throw error;
          this.noteFailure(error);
          this.startFailed.abort();
          return backoff.afterFailedStart();
        },
      );
      await this.delay(delayMs);
    }
  }

  private async delay(ms: number): Promise<void> {
    if (this.abort.signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.cancelDelay = resolve;
      setTimeout(resolve, ms).unref();
    });
  }

  private async prepareStart(service: ProcessService): Promise<void> {
    // It may be installed meanwhile: no error that ends all tries.
    const missing = service.missing?.();
    if (missing !== undefined) throw new Error(missing);
    await service.checkData?.(this.instance);
    await service.prepareData?.(this.instance, this.addonLines);
    if (!(await this.hasFreePort())) this.instance = await this.options.movePort(this.instance);
    await writeServiceFiles(this.instance.folder, service.files(this.instance));
    await service.prepare?.(this.instance);
  }

  private async hasFreePort(): Promise<boolean> {
    if (await isPortFree(this.instance.port)) return true;
    await new Promise((resolve) => setTimeout(resolve, PORT_RECHECK_MS));
    return isPortFree(this.instance.port);
  }

  /** Runs the program until it ends. @returns milliseconds until it should be started again */
  private async runOnce(
    service: ProcessService,
    backoff: RestartBackoff,
    adopted?: AdoptedDyno,
  ): Promise<number> {
    const { app, process: name, log, keeping } = this.options;
    const instance = this.instance;
    const { folder, id } = instance;
    const reader = service.readLines?.(this.addonLines);
    this.reader = reader;
    const owner: AddonOwner | undefined = keeping && { kind: 'addon', id, version: keeping.version };
    const dyno = new Dyno({
      name,
      type: name.split('.')[0],
      command: await service.command(instance),
      cwd: folder,
      env: hostEnvironment(process.env),
      user: await service.user?.(),
      leaderStopSignal: service.stopSignal,
      lines: reader ? this.readingSink(reader) : this.plainSink(),
      id,
      keeper: (await keeping?.keeper.ready()) ? keeping?.keeper : undefined,
      owner,
      adopted,
    });
    if (this.abort.signal.aborted && !adopted) return 0;
    this.dyno = dyno;
    this.failure = undefined;
    this.areLinesOld = true;
    await dyno.start();
    if (this.isLeft) dyno.leave();
    else if (this.abort.signal.aborted) void dyno.stop(service.stopGraceMs ?? GRACE_MS);
    const startedAt = performance.now();
    let wasReady = false;
    const ended = new AbortController();
    const over = AbortSignal.any([this.abort.signal, ended.signal]);
    void waitForPort(instance.port, over).then(async (host) => {
      if (host === undefined) return;
      wasReady = true;
      await this.waitForAnswer(instance, over);
      if (over.aborted) return;
      this.isReady = true;
      await this.writeSamples();
    });
    const { pid } = dyno.info();
    log.info(
      { app, addon: id, service: service.service, pid },
      adopted ? 'add-on taken over' : 'add-on started',
    );
    if (pid !== undefined)
      this.options.pidFile().add(pid, id, name, { leaderStopSignal: service.stopSignal });
    const { status } = await dyno.exited;
    ended.abort();
    this.isReady = false;
    this.isSilent = false;
    reader?.end();
    if (pid !== undefined) this.options.pidFile().remove(pid);
    const ids = { app, addon: id, service: service.service, status };
    if (this.abort.signal.aborted) {
      log.info(ids, 'add-on stopped');
      return 0;
    }
    log.warn(ids, 'an add-on has exited, and is started again');
    const delayMs = backoff.afterRun({ wasReady, status, ranMs: performance.now() - startedAt });
    const isDiskFull = await isFolderFull(folder, this.areLinesOld ? [] : this.lastLines);
    this.addonLines.write(describeEnd(name, status, delayMs, isDiskFull), ERROR_PRIORITY);
    return delayMs;
  }

  /** Each line of it as one message. Platform lines about its process are of no use to the app's owner. */
  private plainSink(): ChunkSink {
    const { lines, process: name } = this.options;
    return {
      writeLine: (source, _dyno, _priority, text) => {
        if (source === 'app') lines.writeLine('app', name, APP_PRIORITY, text);
      },
      writeChunk: (_source, _dyno, _priority, chunk, onWritable) => {
        this.remember(Buffer.from(chunk).toString('utf8').trimEnd().split('\n'));
        return lines.writeChunk('app', name, APP_PRIORITY, chunk, onWritable);
      },
    };
  }

  private readingSink(reader: { line(text: string): void }): LineSink {
    return {
      writeLine: (source, _dyno, _priority, text) => {
        if (source !== 'app') return;
        const line = typeof text === 'string' ? text : Buffer.from(text).toString('utf8');
        this.remember([line]);
        reader.line(line);
      },
    };
  }

  private remember(lines: readonly string[]): void {
    this.lastLines = [...(this.areLinesOld ? [] : this.lastLines), ...lines].slice(-LAST_LINES_MAX);
    this.areLinesOld = false;
  }

  private get addonLines(): AddonLines {
    const { lines, process: name } = this.options;
    return { write: (text, priority = APP_PRIORITY) => lines.writeLine('app', name, priority, text) };
  }

  /**
   * Nobody else notices that a program hangs: its clients wait, and it writes nothing. One question at a time: what comes of an older one
   * behind the answer to the next would say that it hangs when it doesn't any more.
   */
  private async writeSamples(): Promise<void> {
    const { service, names } = this.options;
    const { instance } = this;
    if (!this.isReady || this.isAsked) return;
    this.isAsked = true;
    try {
      const samples = Object.entries((await service.samples?.(instance)) ?? {});
      if (this.abort.signal.aborted) return;
      if (this.isSilent) this.addonLines.write(`${instance.name} answers again.`);
      this.isSilent = false;
      if (samples.length === 0) return;
      const words = samples.map(([name, value]) => `sample#${name}=${value}`);
      const { source, addon } = await names();
      this.addonLines.write(`source=${source} addon=${addon} ${words.join(' ')}`);
    } catch (error) {
      this.options.log.debug(
        { addon: instance.name, err: error },
        'an add-on could not be asked what it is like',
      );
      // One that ends meanwhile is reported as that.
      if (this.isSilent || !this.isReady || this.abort.signal.aborted) return;
      this.isSilent = true;
      this.addonLines.write(errorMessage(error), ERROR_PRIORITY);
    } finally {
      this.isAsked = false;
    }
  }
}

/** `user.err` (RFC 5424 section 6.2.1). */
const ERROR_PRIORITY = 11;
