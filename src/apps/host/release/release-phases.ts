/** The release phase: the process type `release` of a slug runs in a dyno of its own before a release counts. */
import { randomUUID } from 'node:crypto';
import type { AppId } from '../../../logs/store/contract.ts';
import { hostEnvironment, PROFILE_SCRIPT, type SlugFiles } from '../../build/slug-files.ts';
import { dynoEnv } from '../../processes/config/dyno-env.ts';
import { Dyno, type DynoInfo } from '../../processes/dyno.ts';
import type { LineSink } from '../../processes/output/line-sink.ts';
import type { DynoPidFile } from '../../processes/pid-file.ts';
import type { Config } from '../../records/release-record.ts';
import type { DynoSummary } from '../contract.ts';
import { toDynoView } from '../running-apps.ts';

/** One run of a release command. */
export interface ReleasePhase {
  readonly app: AppId;
  readonly version: number;
  /** Of the dyno: `release` unless it is another script. */
  readonly type?: string;
  readonly slug: string;
  readonly command: string;
  readonly config: Config;
  /** A line that it wrote. */
  readonly onLine: (line: string) => void;
  readonly timeoutMs: number;
}

interface ReleasePhasesOptions {
  readonly slugFiles: SlugFiles;
  readonly pidFile: () => DynoPidFile;
  readonly lines: (app: AppId) => LineSink;
  /** @throws TailraceError for an app that is being destroyed */
  readonly requireStaying: (app: AppId) => void;
}

/** From SIGTERM to SIGKILL. */
const GRACE_MS = 5_000;

/** Runs release commands. */
export class ReleasePhases {
  private readonly options: ReleasePhasesOptions;
  private readonly running = new Map<Dyno, { readonly app: AppId; readonly version: number }>();
  private closing = false;

  constructor(options: ReleasePhasesOptions) {
    this.options = options;
  }

  /** @returns the command's exit status. Rejects if the slug can't be unpacked */
  async run({
    app,
    version,
    type = 'release',
    slug,
    command,
    config,
    onLine,
    timeoutMs,
  }: ReleasePhase): Promise<number> {
    const { slugFiles } = this.options;
    const id = randomUUID();
    const workspace = await slugFiles.createWorkspace(slug, id);
    try {
      if (this.closing) throw new Error('the server is stopping');
      this.options.requireStaying(app);
      const lines = this.options.lines(app);
      const name = `${type}.1`;
      const base = { ...hostEnvironment(process.env), ...config, ...workspace.env };
      const dyno = new Dyno({
        name,
        type,
        command,
        profileScript: PROFILE_SCRIPT,
        cwd: workspace.folder,
        sandboxCommand: workspace.sandboxCommand,
        killDaemonized: true,
        env: dynoEnv({ base, name, id, port: undefined, color: false }),
        lines: {
          writeLine: (source, of, priority, text) => {
            lines.writeLine(source, of, priority, text);
            if (source === 'app') onLine(Buffer.from(text).toString('utf8'));
          },
        },
        id,
        oneOff: true,
      });
      return await this.runDyno(dyno, { app, version }, timeoutMs);
    } finally {
      await workspace.remove();
    }
  }

  /** The release dynos of an app that run. */
  list(app: AppId): DynoSummary[] {
    return [...this.running]
      .filter(([, phase]) => phase.app === app)
      .map(([dyno, { version }]) => toDynoView(dyno.info(), version));
  }

  /** Those that run of all apps, as processes. */
  processes(): { readonly app: AppId; readonly dyno: DynoInfo }[] {
    return [...this.running].map(([dyno, { app }]) => ({ app, dyno: dyno.info() }));
  }

  /** Stops those of an app: their releases fail. @returns how many there were */
  async stop(app: AppId): Promise<number> {
    const dynos = [...this.running].filter(([, phase]) => phase.app === app).map(([dyno]) => dyno);
    await Promise.all(dynos.map((dyno) => dyno.stop(GRACE_MS)));
    return dynos.length;
  }

  /** Ends release commands that run: their releases fail. New ones are refused. */
  async close(): Promise<void> {
    this.closing = true;
    await Promise.all([...this.running.keys()].map((dyno) => dyno.stop(GRACE_MS)));
  }

  private async runDyno(
    dyno: Dyno,
    phase: { readonly app: AppId; readonly version: number },
    timeoutMs: number,
  ): Promise<number> {
    const pidFile = this.options.pidFile();
    const timer = setTimeout(() => void dyno.stop(GRACE_MS), timeoutMs);
    this.running.set(dyno, phase);
    dyno.start();
    const { pid, id, name } = dyno.info();
    // A server that dies leaves no release command behind: nobody would know how it ended.
    if (pid !== undefined) pidFile.add(pid, id, name, { app: phase.app });
    const { status, reason } = await dyno.exited;
    clearTimeout(timer);
    this.running.delete(dyno);
    if (pid !== undefined) pidFile.remove(pid);
    // One that ends well when it is told to end hasn't done its work.
    return reason === 'stopped' && status === 0 ? 143 : status;
  }
}
