/** A real viewer, and the page of it in a browser. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { request } from 'undici';
import { onTestFinished } from 'vitest';
import { Program } from '../../support/program.ts';
import { basicAuth, octetCounted } from '../../support/senders/send-lines.ts';
import { temporaryFolder } from '../../support/server.ts';
import { Tab } from '../browser-tab.ts';

const MAIN = join(import.meta.dirname, '..', '..', '..', 'dist', 'drains', 'viewer', 'main.js');
const API_KEY = 'a-key-of-the-tests-of-the-viewer';

export const EMAIL = 'ada@example.com';
export const PASSWORD = 'correct horse battery';

export interface TestStream {
  readonly id: string;
  readonly token: string;
  readonly group: string;
}

export interface SentLine {
  readonly message: string;
  readonly ms?: number;
  readonly dyno?: string;
  readonly source?: string;
  /** Of RFC 5424; default: 6. */
  readonly severity?: number;
}

/** A viewer in a process of its own, with an empty data folder; close it. */
export class TestViewer {
  readonly url: string;
  readonly firstRunUrl: string | undefined;
  private readonly program: Program;
  private readonly data: string;

  private constructor(program: Program, data: string, url: string, firstRunUrl: string | undefined) {
    this.program = program;
    this.data = data;
    this.url = url;
    this.firstRunUrl = firstRunUrl;
  }

  static async start(env: Readonly<Record<string, string>> = {}): Promise<TestViewer> {
    const data = temporaryFolder();
    const program = new Program(process.execPath, [MAIN], {
      env: {
        VIEWER_DATA: data,
        VIEWER_HTTP_PORT: '0',
        VIEWER_SYSLOG_PORT: '0',
        VIEWER_API_KEY: API_KEY,
        ...env,
      },
    });
    const [, url] = await program.waitForOutput(/listening on (\S+?),/);
    const firstRunUrl = env.VIEWER_API_KEY === '' ? await program.waitForOutput(/(\S+#first-run=\S+)/) : undefined;
    return new TestViewer(program, data, url, firstRunUrl?.[1]);
  }

  async close(): Promise<void> {
    this.program.child.kill('SIGTERM');
    await this.program.exited;
    rmSync(this.data, { recursive: true, force: true });
  }

  /** A request with the key that may do everything. */
  async api<T>(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<T> {
    const answer = await request(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${API_KEY}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      body: body && JSON.stringify(body),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** A group of its own with streams, so that tests don't see each other's lines. */
  async createStreams(group: string, ...names: readonly string[]): Promise<TestStream[]> {
    const { id } = await this.api<{ id: string }>('POST', '/api/groups', { name: group });
    const made: TestStream[] = [];
    for (const name of names)
      made.push(await this.api<TestStream>('POST', `/api/groups/${id}/streams`, { name }));
    return made;
  }

  /** Sends lines as a drain does; they are stored when this resolves. */
  async send({ token }: TestStream, lines: readonly (string | SentLine)[]): Promise<void> {
    const frames = lines.map((line) => {
      const {
        message,
        ms = Date.now(),
        dyno = 'web.1',
        source = 'app',
        severity = 6,
      } = typeof line === 'string' ? { message: line } : line;
      const head = `<${23 * 8 + severity}>1 ${new Date(ms).toISOString()} host ${source} ${dyno} - -`;
      return octetCounted(`${head} ${message}`);
    });
    const { statusCode, body } = await request(`${this.url}/logs`, {
      method: 'POST',
      headers: { authorization: basicAuth(token), 'content-type': 'application/logplex-1' },
      body: Buffer.concat(frames),
    });
    const text = await body.text();
    if (statusCode >= 300) throw new Error(`${statusCode} ${text}`);
  }

  /** A link with which somebody makes an account. */
  async invite(role: 'owner' | 'member' | 'reader' = 'owner'): Promise<string> {
    const { url } = await this.api<{ url: string }>('POST', '/api/invites', { role });
    return url;
  }
}

let accounts = 0;

/** A new browser context in which somebody new has signed in: its state, for {@link openViewer}. */
export async function signedIn(browser: Browser, viewer: TestViewer): Promise<BrowserContextOptions['storageState']> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(await viewer.invite());
  await page.getByLabel('E-mail').fill(`tester-${++accounts}@example.com`);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Join' }).click();
  await page.locator('.viewer-page').waitFor();
  const state = await context.storageState();
  await context.close();
  return state;
}

/** Opens the page in a new context (its own storage), for one test. `query`: what is behind the `?`. */
export async function openViewer(
  browser: Browser,
  viewer: TestViewer,
  query: string,
  options: BrowserContextOptions = {},
): Promise<Tab> {
  const context = await browser.newContext({
    viewport: { width: 1360, height: 820 },
    permissions: ['clipboard-read', 'clipboard-write'],
    timezoneId: 'UTC',
    ...options,
  });
  onTestFinished(() => context.close());
  const tab = new Tab(await context.newPage(), viewer);
  await tab.page.goto(query.startsWith('http') ? query : `${viewer.url}/${query && `?${query}`}`);
  return tab;
}
