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
  /** The link of the first start. */
  readonly firstRunUrl: string;
  /** Of somebody who is signed in: the owner, for {@link openViewer}. */
  session: BrowserContextOptions['storageState'];
  private key = '';
  private program: Program;
  private readonly data: string;

  private constructor(program: Program, data: string, url: string, firstRunUrl: string) {
    this.program = program;
    this.data = data;
    this.url = url;
    this.firstRunUrl = firstRunUrl;
  }

  static async start(env: Readonly<Record<string, string>> = {}): Promise<TestViewer> {
    const data = temporaryFolder();
    const program = new Program(process.execPath, [MAIN], {
      env: { VIEWER_DATA: data, VIEWER_HTTP_PORT: '0', VIEWER_SYSLOG_PORT: '0', ...env },
    });
    const [, url] = await program.waitForOutput(/listening on (\S+?),/);
    const [firstRunUrl] = await program.waitForOutput(/\S+#first-run=\S+/);
    return new TestViewer(program, data, url, firstRunUrl);
  }

  /** Makes the owner's account in the browser, as on a first visit; from then on there are a session and a key. */
  async firstVisit(browser: Browser): Promise<void> {
    const context = await browser.newContext({ viewport: { width: 1360, height: 820 } });
    const tab = new Tab(await context.newPage(), this);
    await tab.page.goto(this.url);
    await tab.page.getByRole('heading', { name: 'Nobody is known here yet' }).waitFor();
    await tab.page.goto(this.firstRunUrl);
    await tab.page.getByRole('heading', { name: 'Welcome' }).waitFor();
    await tab.screenshot('viewer-first-visit');
    await tab.page.getByLabel('E-mail').fill(EMAIL);
    await tab.page.getByLabel('Password').fill(PASSWORD);
    await tab.page.getByRole('button', { name: 'Make my account' }).click();
    await tab.page.getByRole('button', { name: 'Sign out' }).waitFor();
    this.session = await context.storageState();
    this.key = await tab.page.evaluate<string>(`(async () => {
      const { csrf } = await (await fetch('api/session')).json();
      const headers = { 'content-type': 'application/json', 'x-csrf-token': csrf };
      const body = JSON.stringify({ name: 'tests', scope: 'admin' });
      return (await (await fetch('api/keys', { method: 'POST', headers, body })).json()).key;
    })()`);
    await context.close();
  }

  /** As after a crash: gone at once. */
  async kill(): Promise<void> {
    this.program.child.kill('SIGKILL');
    await this.program.exited;
  }

  /** Again, with what it had, at the same address. */
  async startAgain(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const { port } = new URL(this.url);
    this.program = new Program(process.execPath, [MAIN], {
      env: { VIEWER_DATA: this.data, VIEWER_HTTP_PORT: port, VIEWER_SYSLOG_PORT: '0', ...env },
    });
    await this.program.waitForOutput(/listening on/);
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
        authorization: `Bearer ${this.key}`,
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
    storageState: viewer.session,
    ...options,
  });
  onTestFinished(() => context.close());
  const tab = new Tab(await context.newPage(), viewer);
  await tab.page.goto(query.startsWith('http') ? query : `${viewer.url}/${query && `?${query}`}`);
  return tab;
}
