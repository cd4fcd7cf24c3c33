/** A one-off dyno that is attached to a client's terminal. */

import { reasonOf } from '../../../common/errors.ts';
import { platformErrorTitle } from '../../../common/platform-errors.ts';
import { ticksSinceBoot } from '../../../common/processes/process-identity.ts';
import type { AppId } from '../../../logs/store/contract.ts';
import type { Dyno, DynoInfo } from '../../processes/dyno.ts';
import { killDaemonized } from '../../processes/kill-daemonized.ts';
import { type AttachedProcess, spawnAttached } from '../../processes/output/attached-process.ts';
import { type LineSink, PLATFORM_PRIORITY } from '../../processes/output/line-sink.ts';
import type { DynoPidFile } from '../../processes/pid-file.ts';
import { signalGroup, waitForGroupExit } from '../../processes/process-group.ts';
import type { Workspace } from '../../processes/supervisor.ts';
import type { OneOffDynoRequest } from '../contract.ts';
import type { ReleaseSpec } from '../release-spec.ts';
import { FramedInput } from './framed-input.ts';
import type { AttachedClient } from './rendezvous.ts';

/** How long a client may take to attach (R13). */
export const ATTACH_TIMEOUT_MS = 60_000;
/** A shell's exit status for a command it can't run. */
const STATUS_NOT_STARTED = 127;
/** From SIGTERM to SIGKILL. */
export const ONE_OFF_GRACE_MS = 10_000;

export interface OneOffDyno {
  readonly app: AppId;
  readonly version: number;
  info(): DynoInfo;
  status: number | undefined;
  stop(): Promise<void>;
  resize(columns: number, rows: number): void;
  /** One that runs by itself, which a terminal can be attached to. */
  readonly dyno?: Dyno;
}

/** What a one-off dyno runs, and where. */
export interface OneOffDynoOptions {
  readonly app: AppId;
  readonly id: string;
  readonly name: string;
  readonly env: Record<string, string | undefined>;
  readonly workspace: Workspace;
  readonly releaseSpec: Pick<ReleaseSpec, 'version' | 'cwd' | 'profileScript' | 'createWorkspace'>;
  readonly request: OneOffDynoRequest;
  readonly lines: LineSink;
}

/** Waits for its client, and then runs attached to the client's terminal. */
export class AttachedDyno implements OneOffDyno {
  readonly app: AppId;
  readonly version: number;
  status: number | undefined;
  /** Never rejects. */
  readonly ended: Promise<void>;
  private readonly options: OneOffDynoOptions;
  private readonly pidFile: DynoPidFile;
  private readonly dynoInfo: DynoInfo;
  private readonly attachTimer: NodeJS.Timeout;
  private process: AttachedProcess | undefined;
  private finished = false;
  private resolveEnded: () => void = () => {};

  /** Before it began. */
  private readonly sinceTicks = ticksSinceBoot();

  constructor(options: OneOffDynoOptions, pidFile: DynoPidFile) {
    const { app, id, name, releaseSpec, request } = options;
    this.app = app;
    this.version = releaseSpec.version;
    this.options = options;
    this.pidFile = pidFile;
    const now = new Date();
    const { command, type, size } = request;
    this.dynoInfo = { id, name, type, command, size, state: 'starting', createdAt: now, updatedAt: now };
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve;
    });
    this.log('Awaiting client');
    this.attachTimer = setTimeout(() => {
      this.log(`${platformErrorTitle('R13')} -> Failed to attach to process`);
      void this.finish(128);
    }, ATTACH_TIMEOUT_MS);
  }

  info(): DynoInfo {
    return { ...this.dynoInfo };
  }

  attachClient({ socket, framed }: AttachedClient): void {
    if (this.finished) return void socket.end();
    clearTimeout(this.attachTimer);
    const { app, env, workspace, releaseSpec, request, id, name } = this.options;
    const { command, terminalSize } = request;
    const script =
      releaseSpec.profileScript === undefined ? command : `${releaseSpec.profileScript}\n${command}`;
    this.log(`Starting process with command \`${command}\``);
    const input = framed ? socket.pipe(new FramedInput()) : socket;
    const ends = { input, output: socket, endsWithEot: !framed };
    const { folder: cwd, sandboxCommand } = workspace;
    try {
      this.process = spawnAttached({ command: script, cwd, env, sandboxCommand, terminalSize, ...ends });
    } catch (error) {
      // The system has no process or terminal left, or takes no command of this length.
      this.log(`Process failed to start: ${reasonOf(error)}`);
      void this.finish(STATUS_NOT_STARTED).then(() =>
        socket.end(`Process failed to start: ${reasonOf(error)}\r\n`),
      );
      return;
    }
    const { pid } = this.process;
    if (pid !== undefined) this.pidFile.add(pid, id, name, { app });
    this.dynoInfo.pid = pid;
    this.setState('up');
    let exited = false;
    socket.on('close', () => {
      if (exited) return;
      this.log('Client connection closed. Sending SIGHUP to all processes');
      void this.stop();
    });
    void this.process.status.then(async (status) => {
      exited = true;
      if (pid !== undefined) {
        signalGroup(pid, 'SIGKILL');
        this.pidFile.remove(pid);
      }
      await this.finish(status);
      socket.end();
    });
  }

  resize(columns: number, rows: number): void {
    if (!this.finished) this.process?.resize(columns, rows);
  }

  async stop(): Promise<void> {
    const pid = this.process?.pid;
    if (pid === undefined) {
      await this.finish(143);
      return;
    }
    if (this.finished) return;
    signalGroup(pid, 'SIGHUP');
    signalGroup(pid, 'SIGTERM');
    if (!(await waitForGroupExit(pid, ONE_OFF_GRACE_MS))) signalGroup(pid, 'SIGKILL');
    await this.ended;
  }

  private async finish(status: number): Promise<void> {
    if (this.finished) return;
    this.finished = true;
    clearTimeout(this.attachTimer);
    this.status = status;
    const { id, releaseSpec } = this.options;
    if (releaseSpec.createWorkspace !== undefined) await killDaemonized(id, this.sinceTicks);
    this.log(`Process exited with status ${status}`);
    this.setState('complete');
    await this.options.workspace.remove();
    this.resolveEnded();
  }

  private setState(state: DynoInfo['state']): void {
    this.log(`State changed from ${this.dynoInfo.state} to ${state}`);
    this.dynoInfo.state = state;
    this.dynoInfo.updatedAt = new Date();
  }

  private log(text: string): void {
    this.options.lines.writeLine('heroku', this.options.name, PLATFORM_PRIORITY, text);
  }
}
