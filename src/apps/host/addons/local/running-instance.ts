/** One local add-on that runs: its process, started again after every exit until it is stopped, or the part of this process that it is. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf, TailraceError } from '../../../../common/errors.ts';
import type { Log } from '../../../../common/log.ts';
import type { AppId } from '../../../../logs/store/contract.ts';
import { hostEnvironment } from '../../../build/slug-files.ts';
import { restartDelayMs } from '../../../processes/config/restart-delay.ts';
import { Dyno } from '../../../processes/dyno.ts';
import { APP_PRIORITY, type ChunkSink, type LineSink } from '../../../processes/output/line-sink.ts';
import type { DynoPidFile } from '../../../processes/pid-file.ts';
import { waitForPort } from '../../../processes/ports.ts';
import type {
  AddonLines,
  EmbeddedInstance,
  LocalInstance,
  LocalService,
  ProcessService,
} from './local-service.ts';

const GRACE_MS = 10_000;
/** How long a start may take until its port accepts connections. */
const READY_TIMEOUT_MS = 20_000;
/** One that worked and was killed is started again at once, but not more often than this. */
const RESTART_INTERVAL_MS = 1_000;
const SAMPLE_INTERVAL_MS = 60_000;
/** Its last words, for the user whose add-on doesn't start. */
const LAST_LINES_MAX = 5;

interface RunningInstanceOptions {
  readonly app: AppId;
  readonly service: LocalService;
  readonly instance: LocalInstance;
  /** `redis.1` */
  readonly process: string;
  /** What its samples are named after: `REDIS`. */
  readonly label: string;
  readonly lines: ChunkSink;
  readonly pidFile: () => DynoPidFile;
  readonly log: Log;
}

export class RunningInstance {
  private readonly options: RunningInstanceOptions;
  private readonly abort = new AbortController();
  private ended: Promise<void> = Promise.resolve();
  private dyno: Dyno | undefined;
  private embedded: EmbeddedInstance | undefined;
  private failure: unknown;
  private lastLines: string[] = [];
  private cancelDelay = (): void => {};
  private sampleTimer: NodeJS.Timeout | undefined;

  constructor(options: RunningInstanceOptions) {
    this.options = options;
  }

  start(): void {
    const { service } = this.options;
    this.ended = (service.kind === 'process' ? this.runProcess(service) : this.runEmbedded(service)).catch(
      (error: unknown) => this.fail(error),
    );
    if (service.samples) {
      this.sampleTimer = setInterval(() => void this.writeSamples(), SAMPLE_INTERVAL_MS);
      this.sampleTimer.unref();
    }
  }

  /** Resolves when its port accepts connections. @throws TailraceError with its last words when it doesn't in time */
  async waitUntilReady(): Promise<void> {
    const { service, instance } = this.options;
    const { port, name } = instance;
    const timeout = AbortSignal.any([this.abort.signal, AbortSignal.timeout(READY_TIMEOUT_MS)]);
    const host = await waitForPort(port, timeout);
    if (this.failure) throw this.failure;
    if (host !== undefined && service.kind === 'process') await service.waitUntilReady?.(instance, timeout);
    if (host !== undefined && !timeout.aborted) return;
    const said = this.lastLines.join(' ').trim();
    throw new TailraceError(
      'unavailable',
      `${name} did not start within ${READY_TIMEOUT_MS / 1_000} seconds; ${said ? `it said: ${said}` : 'it said nothing'}`,
    );
  }

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

  private fail(error: unknown): void {
    const { app, instance, process } = this.options;
    this.failure = error;
    this.options.log.warn({ app, addon: instance.name, err: error }, 'an add-on could not be started');
    this.addonLines.write(
      error instanceof TailraceError ? error.message : `${process} could not be started: ${reasonOf(error)}`,
      ERROR_PRIORITY,
    );
    // Whoever waits for it is told why.
    this.abort.abort();
  }

  private async runEmbedded(service: Extract<LocalService, { kind: 'embedded' }>): Promise<void> {
    const embedded = await service.start(this.options.instance, this.addonLines);
    if (this.abort.signal.aborted) await embedded.close();
    else this.embedded = embedded;
  }

  /** Runs the program, again after every exit, until it is stopped. */
  private async runProcess(service: ProcessService): Promise<void> {
    const { app, instance, process: name, log } = this.options;
    const { folder, id } = instance;
    for (let failedStarts = 0; !this.abort.signal.aborted; ) {
      await service.checkData?.(instance);
      await service.prepareStart?.(instance, this.addonLines);
      for (const [file, text] of Object.entries(service.files(instance)))
        await writeFile(join(folder, file), text, { mode: 0o600 });
      const reader = service.readLines?.(this.addonLines);
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
      });
      if (this.abort.signal.aborted) return;
      this.dyno = dyno;
      dyno.start();
      const startedAt = Date.now();
      let wasReady = false;
      void waitForPort(instance.port, this.abort.signal).then((host) => {
        if (host === undefined || this.dyno !== dyno) return;
        wasReady = true;
        void this.writeSamples();
      });
      const { pid } = dyno.info();
      log.info({ app, addon: id, service: service.service, pid }, 'add-on started');
      if (pid !== undefined) this.options.pidFile().add(pid, id, name, service.stopSignal);
      const { status } = await dyno.exited;
      reader?.end();
      if (pid !== undefined) this.options.pidFile().remove(pid);
      const ids = { app, addon: id, service: service.service, status };
      if (this.abort.signal.aborted) return log.info(ids, 'add-on stopped');
      log.warn(ids, 'an add-on has exited, and is started again');
      // Clients wait for one that worked; one that can't start would be tried all the time.
      failedStarts = wasReady ? 0 : failedStarts + 1;
      const delayMs = wasReady
        ? Math.max(0, RESTART_INTERVAL_MS - (Date.now() - startedAt))
        : restartDelayMs(failedStarts);
      await new Promise<void>((resolve) => {
        this.cancelDelay = resolve;
        setTimeout(resolve, delayMs).unref();
      });
    }
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
    this.lastLines = [...this.lastLines, ...lines].slice(-LAST_LINES_MAX);
  }

  private get addonLines(): AddonLines {
    const { lines, process: name } = this.options;
    return { write: (text, priority = APP_PRIORITY) => lines.writeLine('app', name, priority, text) };
  }

  private async writeSamples(): Promise<void> {
    const { service, instance, label } = this.options;
    try {
      const samples = Object.entries((await service.samples?.(instance)) ?? {});
      if (samples.length === 0 || this.abort.signal.aborted) return;
      const words = samples.map(([name, value]) => `sample#${name}=${value}`);
      this.addonLines.write(`source=${label} addon=${instance.name} ${words.join(' ')}`);
    } catch (error) {
      this.options.log.debug(
        { addon: instance.name, err: error },
        'an add-on could not be asked what it is like',
      );
    }
  }
}

/** `user.err` (RFC 5424 section 6.2.1). */
const ERROR_PRIORITY = 11;
