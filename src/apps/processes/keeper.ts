import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { dynoEnv, type Environment } from './config/dyno-env.ts';
import { restartDelayMs, STABLE_AFTER_MS } from './config/restart-delay.ts';
import { Dyno, type DynoInfo, type DynoState } from './dyno.ts';
import type { Wrap } from './isolation.ts';
import { type LineSink, PLATFORM_PRIORITY } from './output/line-sink.ts';
import type { Ports } from './ports.ts';

/** What all dynos of a formation have in common. */
export interface KeeperSurroundings {
  cwd: string;
  /** A folder of its own for each dyno; unset: all run in `cwd`. Rejects with what to tell the owner. */
  place?: (id: string) => Promise<Place>;
  prelude?: string;
  /** See `DynoOptions`. */
  drain?: (port: number) => Promise<void>;
  env: Environment;
  color: boolean;
  lines: LineSink;
  ports: Ports;
  graceMs: number;
  bootTimeoutMs: number;
  restartDelayMs?: (crashCount: number) => number;
  onChange: (info: DynoInfo) => void;
  onLaunch: (dyno: Dyno) => void;
  onGone: (dyno: Dyno, pid: number | undefined) => void;
}

/** Where one dyno runs. */
export interface Place {
  folder: string;
  /** What only this dyno's environment has. */
  env: Environment;
  /** Unset: it runs as any process does. */
  wrap?: Wrap;
  /** The dyno is gone. Never rejects. */
  remove(): Promise<void>;
}

export interface KeeperPost {
  name: string;
  type: string;
  command: string;
  /** The port it gets if that is free, else the next free one. */
  usualPort: number;
}

/** Keeps one dyno of the formation running: launches it, again after every end, until it is told to stop. */
export class Keeper {
  readonly #around: KeeperSurroundings;
  readonly #post: KeeperPost;
  #info: DynoInfo;
  #dyno: Dyno | undefined;
  #wanted = false;
  #loop: Promise<void> | undefined;
  #crashes = 0;
  /** Cuts the pause after a crash short. */
  #pause = new AbortController();
  #launchWaiters: (() => void)[] = [];

  constructor(post: KeeperPost, surroundings: KeeperSurroundings) {
    this.#around = surroundings;
    this.#post = post;
    const { name, type, command } = post;
    const now = new Date();
    this.#info = { id: randomUUID(), name, type, command, state: 'starting', createdAt: now, updatedAt: now };
  }

  info(): DynoInfo {
    return { ...this.#info };
  }

  /** @returns a promise that resolves when the dyno was launched; not when it is up */
  start(): Promise<void> {
    const runs = this.#wanted && this.#dyno !== undefined;
    this.#wanted = true;
    if (runs) return Promise.resolve();
    const launched = new Promise<void>((resolve) => this.#launchWaiters.push(resolve));
    this.#loop ??= this.#keep().finally(() => {
      this.#loop = undefined;
      this.#wakeLaunchWaiters();
    });
    return launched;
  }

  /** Stops the dyno and launches another in its place, at once even if it waits after a crash. */
  async restart(): Promise<void> {
    this.#crashes = 0;
    if (this.#dyno !== undefined && this.#wanted) {
      this.#say('Restarting');
      await this.#dyno.stop(this.#around.graceMs, 'starting');
      // A stop that came meanwhile is stronger.
      if (!this.#wanted) return;
    }
    this.#pause.abort();
    await this.start();
  }

  /** @returns a promise that resolves when all of the dyno's processes are gone */
  async stop(): Promise<void> {
    await this.#end((dyno) => dyno.stop(this.#around.graceMs));
  }

  async kill(): Promise<void> {
    await this.#end((dyno) => dyno.kill());
  }

  /** Applies back-pressure, or takes it away. */
  hold(held: boolean): void {
    if (held) this.#dyno?.pause();
    else this.#dyno?.resume();
  }

  async #end(how: (dyno: Dyno) => Promise<unknown>): Promise<void> {
    this.#wanted = false;
    this.#pause.abort();
    if (this.#dyno !== undefined) void how(this.#dyno);
    else this.#become('down');
    await this.#loop;
  }

  async #keep(): Promise<void> {
    while (this.#wanted) {
      this.#become('starting');
      let port: number;
      try {
        port = await this.#around.ports.take(this.#post.usualPort);
      } catch (error) {
        this.#say(error instanceof Error ? error.message : String(error));
        this.#become('crashed');
        this.#wanted = false;
        return;
      }
      if (this.#wanted) await this.#liveSomewhere(port);
      this.#around.ports.giveBack(port);
    }
  }

  async #liveSomewhere(port: number): Promise<void> {
    const id = randomUUID();
    const { place, cwd } = this.#around;
    if (place === undefined)
      return this.#liveOnce(port, id, { folder: cwd, env: {}, remove: async () => {} });
    let own: Place;
    try {
      own = await place(id);
    } catch (error) {
      this.#say(`The dyno can't be prepared: ${error instanceof Error ? error.message : String(error)}`);
      this.#become('crashed');
      return this.#pauseAfterCrash();
    }
    if (this.#wanted) await this.#liveOnce(port, id, own);
    await own.remove();
  }

  /** One dyno from launch to end, and the pause after its crash. */
  async #liveOnce(port: number, id: string, place: Place): Promise<void> {
    const dyno = this.#launch(port, id, place);
    const { pid } = dyno.info();
    const launchedAt = performance.now();
    const exit = await dyno.exited;
    this.#dyno = undefined;
    this.#around.onGone(dyno, pid);
    if (exit.reason === 'stopped') return this.#took(dyno.info());
    if (performance.now() - launchedAt >= STABLE_AFTER_MS) this.#crashes = 0;
    await this.#pauseAfterCrash();
  }

  async #pauseAfterCrash(): Promise<void> {
    this.#crashes += 1;
    this.#pause = new AbortController();
    if (!this.#wanted) return;
    const delayMs = (this.#around.restartDelayMs ?? restartDelayMs)(this.#crashes);
    await wait(delayMs, undefined, { signal: this.#pause.signal }).catch(() => undefined);
  }

  #launch(port: number, id: string, { folder: cwd, env: own, wrap }: Place): Dyno {
    const { lines, bootTimeoutMs, env: base, color, prelude, drain } = this.#around;
    const { name, type, command } = this.#post;
    const env = dynoEnv({ base: { ...base, ...own }, name, id, port, color });
    const onChange = (info: DynoInfo) => this.#took(info);
    const holdsAll = this.#around.place !== undefined;
    const what = { name, type, command, prelude, cwd, env, wrap, holdsAll, lines, id, port };
    const dyno = new Dyno({ ...what, bootTimeoutMs, drain, onChange });
    this.#dyno = dyno;
    dyno.start();
    if (dyno.info().state === 'starting') this.#took(dyno.info());
    this.#around.onLaunch(dyno);
    this.#wakeLaunchWaiters();
    return dyno;
  }

  #wakeLaunchWaiters(): void {
    for (const wake of this.#launchWaiters.splice(0)) wake();
  }

  #took(info: DynoInfo): void {
    this.#info = info;
    this.#around.onChange(this.info());
  }

  /** Changes of state between two dynos; while one lives it reports its own. */
  #become(state: DynoState): void {
    const before = this.#info.state;
    if (before === state) return;
    this.#say(`State changed from ${before} to ${state}`);
    this.#took({ ...this.#info, state, updatedAt: new Date() });
  }

  #say(text: string): void {
    this.#around.lines.line('heroku', this.#post.name, PLATFORM_PRIORITY, text);
  }
}
