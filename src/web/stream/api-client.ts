/** The server's HTTP API. Addresses are relative: the page may be below any path of a proxy. */

import { LineSourceError } from './line-source.ts';
import { noteServerDate } from './server-clock.ts';

/** How long an answer may take that needs no search. */
const ANSWER_MS = 10_000;

/** The server rejected a request. `message` is its own sentence. */
export class ApiError extends LineSourceError {}

export interface AppJson {
  readonly id: string;
  readonly name: string;
  readonly web_url: string | null;
}

export interface DynoJson {
  readonly name: string;
  readonly type: string;
  readonly state: string;
  readonly command: string;
  readonly updated_at: string;
}

export interface DrainJson {
  readonly id: string;
  readonly url: string;
  /** It belongs to this add-on. */
  readonly addon: { readonly name: string } | null;
  readonly delivery: {
    readonly state: string;
    readonly delivered: number;
    readonly lost: number;
    readonly lagLines: number;
    readonly lagMs: number;
    readonly lastError?: string;
    readonly nextAttemptAt?: string;
  };
}

/** What an app's log may hold, and holds. */
export interface LogLimitsJson {
  readonly lines: number;
  readonly bytes: number;
  readonly age_s: number;
  readonly own: Readonly<Record<string, boolean>>;
  readonly held: { readonly lines: number; readonly bytes: number; readonly stored_bytes: number | null };
}

/** A command line that wants to log in. */
export interface LoginQuestionJson {
  readonly description: string;
  readonly address: string;
  /** As the command line shows it. */
  readonly code: string;
}

/** Each call throws ApiError with the server's sentence when it is refused, TypeError when nobody answers. */
export class WebApiClient {
  private readonly headers: Readonly<Record<string, string>>;

  /** @param credentials an API key, or the token of the session that the browser's cookie names */
  constructor(credentials: { readonly key: string } | { readonly csrf: string }) {
    this.headers =
      'key' in credentials
        ? { authorization: `Bearer ${credentials.key}` }
        : { 'x-csrf-token': credentials.csrf };
  }

  /** All of them, by name. */
  async listApps(): Promise<AppJson[]> {
    const apps: AppJson[] = [];
    for (let range: string | null = 'name ..; max=1000'; range !== null; ) {
      const page = await this.send('apps', { headers: { range }, signal: AbortSignal.timeout(ANSWER_MS) });
      apps.push(...((await page.json()) as AppJson[]));
      range = page.headers.get('next-range');
    }
    return apps;
  }

  /** An app, by its name or id. */
  appInfo(app: string): Promise<AppJson> {
    return this.getJson(appPath(app));
  }

  listDynos(app: string): Promise<DynoJson[]> {
    return this.getJson(`${appPath(app)}/dynos`);
  }

  listDrains(app: string): Promise<DrainJson[]> {
    return this.getJson(`${appPath(app)}/log-drains`);
  }

  logLimits(app: string): Promise<LogLimitsJson> {
    return this.getJson(`${appPath(app)}/log-limits`);
  }

  /** @throws ApiError when a search can't be read: its message says why. */
  async checkSearch(app: string, q: string): Promise<void> {
    const params = new URLSearchParams({ q, lines: '0', tail: 'false' });
    const response = await this.send(`${appPath(app)}/logs?${params}`, { headers: { accept: 'text/plain' } });
    await response.body?.cancel();
  }

  /** Makes a log session: the path of an address that can be read without the key, as WebSockets have to. */
  async createLogSession(app: string, signal: AbortSignal): Promise<string> {
    const response = await this.send(`${appPath(app)}/log-sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
      // Over a connection that is dead unseen, nothing would ever come.
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    });
    const { logplex_url: url }: { logplex_url: string } = await response.json();
    const { pathname } = new URL(url);
    return pathname.slice(pathname.lastIndexOf('/sessions/') + 1);
  }

  /** What a command line asks that wants to log in. @param secret of the link that it has shown */
  loginQuestion(secret: string): Promise<LoginQuestionJson> {
    return this.getJson(loginPath(secret));
  }

  /** Lets a command line log in, or refuses it. @param secret of the link that it has shown */
  async answerLogin(secret: string, allow: boolean): Promise<void> {
    await this.send(loginPath(secret), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ allow }),
    });
  }

  /**
   * Sends a request with the key, or in the browser's session.
   * @throws ApiError when the server rejects it, TypeError when the server doesn't answer.
   */
  async send(path: string, options: RequestInit = {}): Promise<Response> {
    const sentAtMs = Date.now();
    const response = await fetch(path, {
      cache: 'no-store',
      ...options,
      headers: { ...options.headers, ...this.headers },
    });
    noteServerDate(response.headers.get('date'), sentAtMs);
    if (response.ok) return response;
    const text = await response.text();
    throw new ApiError(
      response.status,
      messageInErrorBody(text) ?? `The server answered ${response.status}.`,
    );
  }

  private async getJson<T>(path: string): Promise<T> {
    const response = await this.send(path, { signal: AbortSignal.timeout(ANSWER_MS) });
    return response.json();
  }
}

function loginPath(secret: string): string {
  return `auth/browser/${encodeURIComponent(secret)}`;
}

/** `apps/<app>`, escaped. @param app its name or id */
export function appPath(app: string): string {
  return `apps/${encodeURIComponent(app)}`;
}

function messageInErrorBody(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text);
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
