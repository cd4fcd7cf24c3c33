/** The example app in its own folder, under `tailrace start`. */
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Program, runTailrace, TAILRACE } from './program.ts';
import { temporaryFolder } from './server.ts';

const EXAMPLE = join(import.meta.dirname, '..', '..', 'examples', 'counter');
const PORTS = { TAILRACE_HTTP_PORT: '0', TAILRACE_SYSLOG_PORT: '0', TAILRACE_ROUTER_PORT: '0' };

export class CounterApp {
  readonly folder: string;
  readonly program: Program;
  /** The URL of the app. */
  webUrl = '';

  constructor(folder: string, args: readonly string[], env: Record<string, string>) {
    this.folder = folder;
    this.program = new Program(process.execPath, [TAILRACE, 'start', ...args], {
      cwd: folder,
      env: { ...PORTS, ...env },
    });
  }

  /** Runs a command in the app's folder, where it finds the server. */
  run(...args: string[]) {
    return runTailrace(args, { cwd: this.folder });
  }

  /** A request to the app through the HTTP router. */
  async get(path: string): Promise<{ status: number; text: string }> {
    const url = new URL(path, this.webUrl);
    // So `counter.localhost` needs no DNS lookup.
    const response = await fetch(`http://127.0.0.1:${url.port}${url.pathname}`, {
      headers: { connection: 'close' },
    });
    return { status: response.status, text: await response.text() };
  }
}

/** A copy of the example called `counter`, with shorter intervals; removed after the test. */
export function copyCounterApp(): string {
  const parent = temporaryFolder();
  const folder = join(parent, 'counter');
  mkdirSync(folder);
  cpSync(EXAMPLE, folder, { recursive: true, filter: (path) => !path.includes('.tailrace') });
  writeFileSync(
    join(folder, '.env'),
    'WORKER_PAUSE_MS=200\nCLOCK_TICK_MS=300\nGREETING="Every drop counts"\n',
  );
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  return folder;
}

/** Starts the example; resolves when its web dyno is up. */
export async function startCounterApp(
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<CounterApp> {
  const counter = new CounterApp(copyCounterApp(), args, env);
  onTestFinished(async () => {
    await counter.program.stop('SIGINT');
  });
  const [, web] = await counter.program.waitForOutput(/app +(http:\/\/counter\.localhost:\d+\/)/);
  counter.webUrl = web;
  await counter.program.waitForOutput(/heroku\[web\.1\]:\S* State changed from starting to up/);
  return counter;
}
