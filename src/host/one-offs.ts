/** One-off dynos: `run bash`, `run:detached rake db:migrate`. */
import { randomUUID } from 'node:crypto';
import type { DynoView, RunRequest } from '../platform/context.ts';
import { type AttachedProcess, attach } from '../runner/attached-process.ts';
import { Dyno, type DynoInfo } from '../runner/dyno.ts';
import { dynoEnv } from '../runner/dyno-env.ts';
import type { DynoLedger } from '../runner/dyno-ledger.ts';
import type { Place } from '../runner/keeper.ts';
import { type LineSink, PLATFORM_PRIORITY } from '../runner/line-sink.ts';
import { groupGone, signalGroup } from '../runner/process-group.ts';
import type { AppId } from '../store/contract.ts';
import { certificates } from './certificates.ts';
import { FramedInput } from './framed-input.ts';
import type { Blueprint } from './hosted-app.ts';
import { Rendezvous, type Visitor } from './rendezvous.ts';

/** How long a client may take to come (R13). */
const ATTACH_MS = 60_000;
const GRACE_MS = 10_000;
/** Ended ones can be asked for their status for so long. */
const REMEMBER_MS = 60_000;

interface OneOff {
  readonly app: AppId;
  readonly version: number;
  info(): DynoInfo;
  status: number | undefined;
  stop(): Promise<void>;
  resize(columns: number, rows: number): void;
}

export interface OneOffsOptions {
  /** Where the certificates are kept. */
  readonly certificates: string;
  /** Address and port to listen on; 0 for any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly ledger: () => DynoLedger;
}

export class OneOffs {
  private readonly options: OneOffsOptions;
  private readonly dynos = new Map<string, OneOff>();
  private meeting: Promise<{ rendezvous: Rendezvous; port: number; authority: string }> | undefined;
  private nextNumber = 1_000 + Math.floor(Math.random() * 9_000);

  constructor(options: OneOffsOptions) {
    this.options = options;
  }

  list(app: AppId): DynoView[] {
    return [...this.dynos.values()]
      .filter((one) => one.app === app && one.status === undefined)
      .map((one) => view(one));
  }

  /** Those with a process. */
  running(app: AppId): DynoInfo[] {
    return [...this.dynos.values()]
      .filter((one) => one.app === app && one.status === undefined)
      .map((one) => one.info());
  }

  /** Also one that has ended a short while ago, with its status. */
  find(app: AppId, name: string): DynoView | undefined {
    const one = this.dynos.get(key(app, name));
    return one && view(one);
  }

  /** @returns false if there is no such dyno */
  resize(app: AppId, name: string, columns: number, rows: number): boolean {
    const one = this.dynos.get(key(app, name));
    one?.resize(columns, rows);
    return one !== undefined;
  }

  /** Those with this name, or all (`run`). @returns how many there were */
  async stop(app: AppId, which: string): Promise<number> {
    const all = [...this.dynos.values()].filter(
      (one) => one.app === app && one.status === undefined && (which === 'run' || one.info().name === which),
    );
    await Promise.all(all.map((one) => one.stop()));
    return all.length;
  }

  /** What clients have to trust. */
  async authority(): Promise<string> {
    return (await this.meet()).authority;
  }

  /** Starts one. @returns it, with the address to attach to when that was wanted */
  async run(app: AppId, blueprint: Blueprint, request: RunRequest, lines: LineSink): Promise<DynoView> {
    const id = randomUUID();
    const name = `${request.type}.${this.nextNumber++}`;
    const meeting = request.attach ? await this.meet() : undefined;
    const place = await (blueprint.place?.(id) ?? { folder: blueprint.cwd, env: {}, remove: async () => {} });
    const base = { ...blueprint.env, ...place.env, ...request.env };
    const env = dynoEnv({ base, name, id, port: undefined, color: false });
    const parts = { app, id, name, env, place, blueprint, request, lines };
    if (!meeting) return view(this.detached(parts));
    const { rendezvous, port } = meeting;
    const attached = new AttachedDyno(parts, this.options.ledger());
    const { secret, forget } = rendezvous.expect((visitor) => attached.start(visitor));
    this.remember(attached, attached.ended.finally(forget));
    return { ...view(attached), attachPath: `:${port}/${secret}` };
  }

  async close(): Promise<void> {
    await Promise.all([...this.dynos.values()].map((one) => one.stop()));
    if (this.meeting) await this.meeting.then(({ rendezvous }) => rendezvous.close()).catch(() => {});
  }

  private detached({ app, id, name, env, place, blueprint, request, lines }: Parts): OneOff {
    const { command, type } = request;
    const options = { name, type, command, prelude: blueprint.prelude, cwd: place.folder, env, lines, id };
    const dyno = new Dyno({ ...options, oneOff: true });
    dyno.start();
    const { pid } = dyno.info();
    const ledger = this.options.ledger();
    if (pid !== undefined) ledger.add(pid, id, name);
    const one: OneOff = {
      app,
      version: blueprint.version,
      info: () => dyno.info(),
      status: undefined,
      stop: async () => void (await dyno.stop(GRACE_MS)),
      resize: () => {},
    };
    const ended = dyno.exited.then(async ({ status }) => {
      one.status = status;
      if (pid !== undefined) ledger.remove(pid);
      await place.remove();
    });
    this.remember(one, ended);
    return one;
  }

  private remember(one: OneOff, ended: Promise<void>): void {
    const { name } = one.info();
    this.dynos.set(key(one.app, name), one);
    void ended.then(() => setTimeout(() => this.dynos.delete(key(one.app, name)), REMEMBER_MS).unref());
  }

  private meet() {
    const { certificates: folder, listen } = this.options;
    this.meeting ??= (async () => {
      const own = await certificates(folder);
      const rendezvous = new Rendezvous(own);
      return {
        rendezvous,
        port: await rendezvous.listen(listen.host, listen.port),
        authority: own.authority,
      };
    })();
    // A missing program may be there at the next try.
    this.meeting.catch(() => {
      this.meeting = undefined;
    });
    return this.meeting;
  }
}

interface Parts {
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
class AttachedDyno implements OneOff {
  readonly app: AppId;
  readonly version: number;
  status: number | undefined;
  /** Never rejects. */
  readonly ended: Promise<void>;
  private readonly parts: Parts;
  private readonly ledger: DynoLedger;
  private readonly state: DynoInfo;
  private readonly timer: NodeJS.Timeout;
  private process: AttachedProcess | undefined;
  private over = false;
  private end: () => void = () => {};

  constructor(parts: Parts, ledger: DynoLedger) {
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
    this.process = attach({ command: script, cwd: place.folder, env, window, ...ends });
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

function key(app: AppId, name: string): string {
  return `${app} ${name}`;
}

function view(one: OneOff): DynoView {
  const { id, name, type, command, state, createdAt, updatedAt } = one.info();
  return {
    id,
    name,
    type,
    command,
    state,
    version: one.version,
    status: one.status,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
