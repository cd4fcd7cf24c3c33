/** A real viewer in its own process, and requests to it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Program } from '../program.ts';
import { temporaryFolder } from '../server.ts';

export const VIEWER = join(process.cwd(), 'dist', 'drains', 'viewer', 'main.js');
/** May do everything. */
export const VIEWER_KEY = 'a-key-of-tests-that-may-do-everything';

export interface ViewerLine {
  readonly stream: string;
  readonly position: string;
  readonly timestamp: string;
  readonly level: string;
  readonly source: string;
  readonly dyno: string;
  readonly hostname: string;
  readonly message: string;
}

export interface ViewerStream {
  readonly id: string;
  readonly name: string;
  readonly group: string;
  readonly lines: number;
  readonly token: string;
  readonly drain_url: string;
}

export interface ViewerGroup {
  readonly id: string;
  readonly name: string;
  readonly token: string;
  readonly streams: readonly ViewerStream[];
}

export interface SearchPage {
  readonly lines: readonly ViewerLine[];
  readonly before?: string;
  readonly after?: string;
  readonly tail?: string;
}

export class Viewer {
  readonly program: Program;
  readonly data: string;
  url = '';
  syslogPort = 0;
  firstRunToken: string | undefined;

  constructor(program: Program, data: string) {
    this.program = program;
    this.data = data;
  }

  /** @param headers instead of the key that may do everything */
  fetch(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = { authorization: `Bearer ${VIEWER_KEY}` },
  ): Promise<Response> {
    return fetch(this.url + path, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  /** Sends an API request; throws unless the status is 2xx. */
  async request<T>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<T> {
    const response = await this.fetch(method, path, body, headers);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  groups(): Promise<ViewerGroup[]> {
    return this.request('GET', '/api/groups');
  }

  createGroup(name: string): Promise<ViewerGroup> {
    return this.request('POST', '/api/groups', { name });
  }

  createStream(group: Pick<ViewerGroup, 'id'>, name: string): Promise<ViewerStream> {
    return this.request('POST', `/api/groups/${group.id}/streams`, { name });
  }

  search(query: string): Promise<SearchPage> {
    return this.request('GET', `/api/search?${query}`);
  }

  /** Of all lines that a query finds, oldest first. */
  async messages(query: string): Promise<string[]> {
    const found: string[] = [];
    for (let after = ''; ; ) {
      const page = await this.search(`${query}&limit=5000&after=${after}`);
      found.push(...page.lines.map(({ message }) => message));
      if (page.after === undefined) return found;
      after = page.after;
    }
  }

  async kill(): Promise<void> {
    await this.program.stop('SIGKILL');
  }

  async close(): Promise<void> {
    await this.program.stop('SIGTERM');
  }
}

export interface ViewerOptions {
  /** Default: a new folder, removed when the viewer exits. */
  readonly data?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** Starts a viewer on free ports; resolves when it is ready. The caller closes it. */
export async function startViewer({
  data = temporaryFolder(),
  env = {},
  args = [],
}: ViewerOptions = {}): Promise<Viewer> {
  const program = new Program(process.execPath, [VIEWER, ...args], {
    env: {
      VIEWER_DATA: data,
      VIEWER_HTTP_PORT: '0',
      VIEWER_SYSLOG_PORT: '0',
      VIEWER_SYSLOG_TLS_PORT: '0',
      VIEWER_LOG_LEVEL: 'warn',
      VIEWER_API_KEY: VIEWER_KEY,
      ...env,
    },
  });
  const viewer = new Viewer(program, data);
  const [, url, port] = await program
    .waitForOutput(/listening on (\S+), for syslog on port (\d+)/)
    .catch(async (error: unknown) => {
      await program.stop('SIGKILL');
      throw error;
    });
  viewer.url = url;
  viewer.syslogPort = Number(port);
  viewer.firstRunToken = /#first-run=(\S+)/.exec(program.stdout)?.[1];
  return viewer;
}

/** The same for one test: killed when that has finished, and its folder removed. */
export async function startViewerForTest(options: ViewerOptions = {}): Promise<Viewer> {
  const viewer = await startViewer(options);
  onTestFinished(async () => {
    await viewer.kill();
    if (options.data === undefined) rmSync(viewer.data, { recursive: true, force: true });
  });
  return viewer;
}
