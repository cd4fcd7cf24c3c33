/** A one-off dyno at the other end of somebody's terminal. */

import type { AppId } from '../../../logs/store/contract.ts';
import { endDetached } from '../../processes/detached.ts';
import type { DynoInfo } from '../../processes/dyno.ts';
import type { DynoLedger } from '../../processes/dyno-ledger.ts';
import type { Place } from '../../processes/keeper.ts';
import { type AttachedProcess, attach } from '../../processes/output/attached-process.ts';
import { type LineSink, PLATFORM_PRIORITY } from '../../processes/output/line-sink.ts';
import { groupGone, signalGroup } from '../../processes/process-group.ts';
import type { RunRequest } from '../contract.ts';
import type { Blueprint } from '../hosted-app.ts';
import { FramedInput } from './framed-input.ts';
import type { Visitor } from './rendezvous.ts';

/** How long a client may take to come (R13). */
const ATTACH_MS = 60_000;
/** From SIGTERM to SIGKILL. */
export const GRACE_MS = 10_000;

export interface OneOff {
  readonly app: AppId;
  readonly version: number;
  info(): DynoInfo;
  status: number | undefined;
  stop(): Promise<void>;
  resize(columns: number, rows: number): void;
}

/** What a one-off dyno is made of. */
export interface OneOffParts {
  readonly app: AppId;
  readonly id: string;
  readonly name: string;
  readonly env: Record<string, string | undefined>;
  readonly place: Place;
  readonly blueprint: Blueprint;
  readonly request: RunRequest;
  readonly lines: LineSink;
}

/** One that waits for its client, and then runs at the other end of its terminal. */
export class AttachedDyno implements OneOff {
  readonly app: AppId;
  readonly version: number;
  status: number | undefined;
  /** Never rejects. */
  readonly ended: Promise<void>;
  private readonly parts: OneOffParts;
  private readonly ledger: DynoLedger;
  private readonly state: DynoInfo;
  private readonly timer: NodeJS.Timeout;
  private process: AttachedProcess | undefined;
  private over = false;
  private end: () => void = () => {};

  constructor(parts: OneOffParts, ledger: DynoLedger) {
    const { app, id, name, blueprint, request } = parts;
    this.app = app;
    this.version = blueprint.version;
    this.parts = parts;
    this.ledger = ledger;
    const now = new Date();
    const { command, type } = request;
    this.state = { id, name, type, command, state: 'starting', createdAt: now, updatedAt: now };
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
    this.say('Awaiting client');
    this.timer = setTimeout(() => {
      this.say('Error R13 (Attach error) -> Failed to attach to process');
      void this.finish(128);
    }, ATTACH_MS);
  }

  info(): DynoInfo {
    return { ...this.state };
  }

  start({ socket, framed }: Visitor): void {
    if (this.over) return void socket.end();
    clearTimeout(this.timer);
    const { env, place, blueprint, request, id, name } = this.parts;
    const { command, window } = request;
    const script = blueprint.prelude === undefined ? command : `${blueprint.prelude}\n${command}`;
    this.say(`Starting process with command \`${command}\``);
    const input = framed ? socket.pipe(new FramedInput()) : socket;
    const ends = { input, output: socket, endsByByte: !framed };
    this.process = attach({ command: script, cwd: place.folder, env, wrap: place.wrap, window, ...ends });
    const { pid } = this.process;
    if (pid !== undefined) this.ledger.add(pid, id, name);
    this.state.pid = pid;
    this.become('up');
    let exited = false;
    socket.on('close', () => {
      if (exited) return;
      this.say('Client connection closed. Sending SIGHUP to all processes');
      void this.stop();
    });
    void this.process.status.then(async (status) => {
      exited = true;
      if (pid !== undefined) {
        signalGroup(pid, 'SIGKILL');
        this.ledger.remove(pid);
      }
      await this.finish(status);
      socket.end();
    });
  }

  resize(columns: number, rows: number): void {
    if (!this.over) this.process?.resize(columns, rows);
  }

  async stop(): Promise<void> {
    const pid = this.process?.pid;
    if (pid === undefined) {
      await this.finish(143);
      return;
    }
    if (this.over) return;
    signalGroup(pid, 'SIGHUP');
    signalGroup(pid, 'SIGTERM');
    if (!(await groupGone(pid, GRACE_MS))) signalGroup(pid, 'SIGKILL');
    await this.ended;
  }

  private async finish(status: number): Promise<void> {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    this.status = status;
    const { id, blueprint } = this.parts;
    if (blueprint.place !== undefined) await endDetached(id);
    this.say(`Process exited with status ${status}`);
    this.become('complete');
    await this.parts.place.remove();
    this.end();
  }

  private become(state: DynoInfo['state']): void {
    this.say(`State changed from ${this.state.state} to ${state}`);
    this.state.state = state;
    this.state.updatedAt = new Date();
  }

  private say(text: string): void {
    this.parts.lines.line('heroku', this.parts.name, PLATFORM_PRIORITY, text);
  }
}
