import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { errorMessage } from '../../common/text/error-message.ts';
import type { SandboxCommand } from './bubblewrap.ts';
import { dynoEnv, type Environment } from './config/dyno-env.ts';
import { restartDelayMs, STABLE_AFTER_MS } from './config/restart-delay.ts';
import {
  type AdoptedDyno,
  adoptedInfo,
  Dyno,
  type DynoInfo,
  type DynoState,
  type PartialLineListener,
} from './dyno.ts';
import type { KeeperClient } from './keeper/keeper-client.ts';
import { type LineSink, PLATFORM_PRIORITY } from './output/line-sink.ts';
import type { PortAllocator } from './ports.ts';

/** What all dynos of a formation have in common. */
export interface SupervisorOptions {
  cwd: string;
  /**
   * A folder of its own for each dyno; unset: all run in `cwd`. Rejects with a message for the owner.
   * @param size of the dyno, when it isn't that of its type
   */
  createWorkspace?: (id: string, type: string, size?: string) => Promise<Workspace>;
  /** The folder that a dyno of an earlier server has. */
  adoptWorkspace?: (id: string) => Workspace;
  /** Keeps dynos while the server is restarted; unset: they end with this process. */
  keeper?: KeeperClient;
  /** Whose they are, for the next server. */
  owner?: unknown;
  profileScript?: string;
  /** See `DynoOptions`. */
  drainConnections?: (port: number) => Promise<void>;
  env: Environment;
  color: boolean;
  lines: LineSink;
  ports: PortAllocator;
  graceMs: number;
  bootTimeoutMs: number;
  restartDelayMs?: (crashCount: number) => number;
  onChange: (info: DynoInfo) => void;
  onPartialLine?: PartialLineListener;
  onLaunch: (dyno: Dyno) => void;
  onExit: (dyno: Dyno, pid: number | undefined) => void;
}

/** Where one dyno runs. */
export interface Workspace {
  folder: string;
  /** What only this dyno's environment has. */
  env: Environment;
  /** Unset: it runs without a sandbox. */
  sandboxCommand?: SandboxCommand;
  /** The dyno is gone. Never rejects. */
  remove(): Promise<void>;
}

export interface DynoSpec {
  name: string;
  type: string;
  command: string;
  /** The port it gets if that is free, else the next free one. */
  preferredPort: number;
}

/** Supervises one dyno of the formation: launches it, again after every exit, until it is stopped. */
export class DynoSupervisor {
  private readonly options: SupervisorOptions;
  private readonly spec: DynoSpec;
  private currentInfo: DynoInfo;
  private currentDyno: Dyno | undefined;
  /** Runs already, and is the first one. */
  private adopted: AdoptedDyno | undefined;
  /** For the next dyno. */
  private prepared: { readonly id: string; readonly workspace: Workspace } | undefined;
  private shouldRun = false;
  private isLeft = false;
  private loop: Promise<void> | undefined;
  private crashCount = 0;
  /** Cuts the pause after a crash short. */
  private restartDelay = new AbortController();
  private launchWaiters: (() => void)[] = [];
  /** Of those who wait for its end. */
  private startWaiters: (() => void)[] = [];

  /** @param adopted the dyno of this name that an earlier server has started */
  constructor(spec: DynoSpec, options: SupervisorOptions, adopted?: AdoptedDyno) {
    this.options = options;
    this.spec = spec;
    this.adopted = adopted;
    const { name, type, command } = spec;
    const now = new Date();
    this.currentInfo = {
      id: randomUUID(),
      name,
      type,
      command,
      state: 'starting',
      createdAt: now,
      updatedAt: now,
    };
    if (adopted) this.currentInfo = adoptedInfo(adopted);
  }

  /** A copy: it doesn't change with the dyno. */
  info(): DynoInfo {
    return { ...this.currentInfo };
  }

  /** What runs now; undefined between two dynos. */
  get dyno(): Dyno | undefined {
    return this.currentDyno;
  }

  /** @returns a promise that resolves when the dyno was launched, or couldn't be; not when it is up */
  start(): Promise<void> {
    const isRunning = this.shouldRun && this.currentDyno !== undefined;
    this.shouldRun = true;
    if (isRunning) return Promise.resolve();
    for (const wake of this.startWaiters.splice(0)) wake();
    // One that is being stopped: another takes its place when it is gone, so that requests wait for that.
    void this.currentDyno?.stop(this.options.graceMs, 'starting');
    const launched = new Promise<void>((resolve) => this.launchWaiters.push(resolve));
    this.loop ??= this.supervise().finally(() => {
      this.loop = undefined;
      this.resolveLaunchWaiters();
    });
    return launched;
  }

  /**
   * Stops the dyno and launches another in its place, at once even if it waits after a crash. One that runs goes on when there is no room for the
   * files of another.
   */
  async restart(): Promise<void> {
    this.crashCount = 0;
    if (this.currentDyno !== undefined && this.shouldRun && this.options.createWorkspace) {
      await this.prepare();
      if (!this.shouldRun) return this.discardPrepared();
    }
    if (this.currentDyno !== undefined && this.shouldRun) {
      this.log('Restarting');
      await this.currentDyno.stop(this.options.graceMs, 'starting');
      // A stop that came meanwhile wins.
      if (!this.shouldRun) return;
    }
    this.restartDelay.abort();
    await this.start();
  }

  /**
   * Has the files of the next dyno ready before anything is stopped for it.
   * @throws when they can't be had, which the app is told
   */
  async prepare(): Promise<void> {
    const { createWorkspace } = this.options;
    if (createWorkspace === undefined) return;
    const id = randomUUID();
    let workspace: Workspace;
    try {
      workspace = await createWorkspace(id, this.spec.type);
    } catch (error) {
      this.log(`Not restarted, since another dyno can't be prepared: ${errorMessage(error)}`);
      throw error;
    }
    await this.discardPrepared();
    this.prepared = { id, workspace };
  }

  /** Nothing is to be started with what was prepared. */
  async discardPrepared(): Promise<void> {
    const { prepared } = this;
    this.prepared = undefined;
    await prepared?.workspace.remove();
  }

  /** @returns a promise that resolves when all of the dyno's processes are gone, or it is started again */
  async stop(): Promise<void> {
    await this.shutDown((dyno) => dyno.stop(this.options.graceMs));
  }

  /** As {@link stop}, without a grace. */
  async kill(): Promise<void> {
    await this.shutDown((dyno) => dyno.kill());
  }

  /** Leaves the dyno to the next server, and starts no other. */
  leave(): void {
    this.isLeft = true;
    this.shouldRun = false;
    this.restartDelay.abort();
    this.currentDyno?.leave();
  }

  /** Applies back-pressure, or releases it. */
  setPaused(paused: boolean): void {
    if (paused) this.currentDyno?.pause();
    else this.currentDyno?.resume();
  }

  private async shutDown(end: (dyno: Dyno) => Promise<unknown>): Promise<void> {
    this.shouldRun = false;
    this.restartDelay.abort();
    void this.discardPrepared();
    if (this.currentDyno !== undefined) void end(this.currentDyno);
    else this.setState('down');
    await Promise.race([this.loop, new Promise<void>((resolve) => this.startWaiters.push(resolve))]);
  }

  private async supervise(): Promise<void> {
    const adopted = this.adopted;
    this.adopted = undefined;
    if (adopted) await this.runAdopted(adopted);
    while (this.shouldRun) {
      this.setState('starting');
      let port: number;
      try {
        port = await this.options.ports.allocate(this.spec.preferredPort);
      } catch (error) {
        this.log(errorMessage(error));
        this.setState('crashed');
        this.shouldRun = false;
        return;
      }
      if (this.shouldRun) await this.runInWorkspace(port);
      this.options.ports.release(port);
    }
  }

  private async runInWorkspace(port: number): Promise<void> {
    const { prepared } = this;
    this.prepared = undefined;
    const id = prepared?.id ?? randomUUID();
    const { createWorkspace, cwd } = this.options;
    if (createWorkspace === undefined)
      return this.runOnce(port, id, { folder: cwd, env: {}, remove: async () => {} });
    let workspace: Workspace;
    try {
      workspace = prepared?.workspace ?? (await createWorkspace(id, this.spec.type));
    } catch (error) {
      this.log(`The dyno can't be prepared: ${errorMessage(error)}`);
      this.setState('crashed');
      // It is tried again and again; who waits for it would hold up every other change of the app.
      this.resolveLaunchWaiters();
      return this.waitBeforeRestart();
    }
    if (this.shouldRun) await this.runOnce(port, id, workspace);
    await workspace.remove();
  }

  private async runAdopted(adopted: AdoptedDyno): Promise<void> {
    const { adoptWorkspace, cwd, ports } = this.options;
    const { id, port } = adopted.note.info;
    const workspace = adoptWorkspace?.(id) ?? { folder: cwd, env: {}, remove: async () => {} };
    if (port !== undefined) await ports.claim(port);
    await this.runOnce(port, id, workspace, adopted);
    await workspace.remove();
    if (port !== undefined) ports.release(port);
  }

  /** One dyno from launch to end, and the pause after its crash. */
  private async runOnce(
    port: number | undefined,
    id: string,
    workspace: Workspace,
    adopted?: AdoptedDyno,
  ): Promise<void> {
    const isKept = (await this.options.keeper?.ready()) ?? false;
    if (!this.shouldRun && !adopted) return;
    const dyno = await this.launch(port, id, workspace, isKept, adopted);
    const { pid } = dyno.info();
    const launchedAt = performance.now();
    const exit = await dyno.exited;
    this.currentDyno = undefined;
    this.options.onExit(dyno, pid);
    if (exit.reason === 'stopped') return this.updateInfo(dyno.info());
    if (performance.now() - launchedAt >= STABLE_AFTER_MS) this.crashCount = 0;
    await this.waitBeforeRestart();
  }

  private async waitBeforeRestart(): Promise<void> {
    this.crashCount += 1;
    this.restartDelay = new AbortController();
    if (!this.shouldRun) return;
    const delayMs = (this.options.restartDelayMs ?? restartDelayMs)(this.crashCount);
    await wait(delayMs, undefined, { signal: this.restartDelay.signal }).catch(() => undefined);
  }

  private async launch(
    port: number | undefined,
    id: string,
    { folder: cwd, env: workspaceEnv, sandboxCommand }: Workspace,
    isKept: boolean,
    adopted: AdoptedDyno | undefined,
  ): Promise<Dyno> {
    const { lines, bootTimeoutMs, env: base, color, profileScript, drainConnections } = this.options;
    const { onPartialLine, keeper, owner } = this.options;
    const { name, type, command } = this.spec;
    const env = adopted?.note.env ?? dynoEnv({ base: { ...base, ...workspaceEnv }, name, id, port, color });
    const onChange = (info: DynoInfo) => this.updateInfo(info);
    const killDaemonized = this.options.createWorkspace !== undefined;
    const dynoOptions = {
      name,
      type,
      command,
      profileScript,
      cwd,
      env,
      sandboxCommand,
      killDaemonized,
      lines,
      id,
      port,
    };
    const dyno = new Dyno({
      ...dynoOptions,
      hasInput: true,
      onPartialLine,
      bootTimeoutMs,
      drainConnections,
      onChange,
      keeper: isKept ? keeper : undefined,
      owner,
      adopted,
    });
    this.currentDyno = dyno;
    const started = dyno.start();
    if (dyno.info().state === 'starting') this.updateInfo(dyno.info());
    if (isKept) await started;
    if (this.isLeft) dyno.leave();
    else if (isKept) this.updateInfo(dyno.info());
    this.options.onLaunch(dyno);
    this.resolveLaunchWaiters();
    return dyno;
  }

  private resolveLaunchWaiters(): void {
    for (const wake of this.launchWaiters.splice(0)) wake();
  }

  private updateInfo(info: DynoInfo): void {
    this.currentInfo = info;
    this.options.onChange(this.info());
  }

  /** Changes of state between two dynos; while one lives it reports its own. */
  private setState(state: DynoState): void {
    const before = this.currentInfo.state;
    if (before === state) return;
    this.log(`State changed from ${before} to ${state}`);
    this.updateInfo({ ...this.currentInfo, state, updatedAt: new Date() });
  }

  private log(text: string): void {
    this.options.lines.writeLine('heroku', this.spec.name, PLATFORM_PRIORITY, text);
  }
}
