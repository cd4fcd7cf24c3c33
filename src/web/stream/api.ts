/** The server's HTTP API. */

/** The server answered, and said no. `message` is its own sentence. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
  }
}

export interface AppInfo {
  readonly id: string;
  readonly name: string;
  readonly web_url: string | null;
}

export interface DynoInfo {
  readonly name: string;
  readonly type: string;
  readonly state: string;
  readonly command: string;
  readonly updated_at: string;
}

export interface DrainInfo {
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

export class Api {
  private readonly key: string;

  constructor(key: string) {
    this.key = key;
  }

  apps(): Promise<AppInfo[]> {
    return this.ask('/apps');
  }

  dynos(app: string): Promise<DynoInfo[]> {
    return this.ask(`${appPath(app)}/dynos`);
  }

  drains(app: string): Promise<DrainInfo[]> {
    return this.ask(`${appPath(app)}/log-drains`);
  }

  /** Makes a log session: the path of an address that can be read without the key, as WebSockets have to. */
  async session(app: string, signal: AbortSignal): Promise<string> {
    const answer = await this.send(`${appPath(app)}/log-sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
      signal,
    });
    const { logplex_url: url }: { logplex_url: string } = await answer.json();
    return new URL(url).pathname;
  }

  /**
   * Sends a request with the key.
   * @throws Refusal when the server says no, TypeError when it doesn't answer.
   */
  async send(path: string, options: RequestInit = {}): Promise<Response> {
    const answer = await fetch(path, {
      cache: 'no-store',
      ...options,
      headers: { ...options.headers, authorization: `Bearer ${this.key}` },
    });
    if (answer.ok) return answer;
    const text = await answer.text();
    throw new Refusal(answer.status, readMessage(text) ?? `The server answered ${answer.status}.`);
  }

  private async ask<T>(path: string): Promise<T> {
    const answer = await this.send(path, { signal: AbortSignal.timeout(10_000) });
    return answer.json();
  }
}

export function appPath(app: string): string {
  return `/apps/${encodeURIComponent(app)}`;
}

function readMessage(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text);
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
