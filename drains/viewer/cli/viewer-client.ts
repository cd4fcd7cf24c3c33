/** What the viewer's commands have in common: they talk to a running one, and take names for ids. */
import { TailraceError } from '../../../src/common/errors.ts';
import { isTemporaryStatus } from '../../../src/common/http/client/temporary-status.ts';
import { parseRetryAfter } from '../../../src/logs/drains/encoders/classify-response.ts';
import { sanitize } from '../../../src/logs/tails/output/sanitize.ts';

export interface ClientOptions {
  readonly url?: string;
  readonly key?: string;
}

export interface ApiGroup {
  readonly id: string;
  readonly name: string;
  readonly streams: readonly { readonly id: string; readonly name: string }[];
}

/** The viewer, or a proxy in front of it, refuses for now; others are TailraceErrors alone. */
export class RefusedForNow extends TailraceError {
  /** It wants to be left alone for so long. */
  readonly retryAfterMs: number;

  constructor(message: string, { headers }: Pick<Response, 'headers'>) {
    super('unavailable', message);
    this.retryAfterMs =
      parseRetryAfter(headers.get('retry-after') ?? undefined, headers.get('date') ?? undefined) ?? 0;
  }
}

/** The HTTP API of a running viewer. The constructor throws TailraceError `settings` for an address that is none, `unauthorized` without a key. */
export class ViewerClient {
  private readonly base: string;
  private readonly headers: Readonly<Record<string, string>>;

  /** An address may have the key in it, as an add-on's has: `https://key:v.…@logs.example.com`. */
  constructor({ url = process.env.VIEWER_URL || 'http://127.0.0.1:8620', key }: ClientOptions) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw new TailraceError('settings', `"${url}" is no address: write it like https://logs.example.com.`);
    const base = new URL(url);
    const secret = key ?? (process.env.VIEWER_KEY || decodeURIComponent(base.password));
    if (secret === '')
      throw new TailraceError('unauthorized', 'Show an API key: set VIEWER_KEY, or give --key.');
    base.username = base.password = base.search = base.hash = '';
    if (!base.pathname.endsWith('/')) base.pathname += '/';
    this.base = base.href;
    this.headers = { authorization: `Bearer ${secret}` };
  }

  /** @throws TailraceError with what the viewer says */
  async get<T>(path: string): Promise<T> {
    const response = await this.request(path, {});
    return (await response.json()) as T;
  }

  /** Sends JSON. @throws TailraceError with what the viewer says */
  async send<T>(method: 'POST' | 'PUT', path: string, value: object): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    const response = await this.request(path, headers, { method, body: JSON.stringify(value) });
    return (await response.json()) as T;
  }

  /**
   * @param path below the viewer's address.
   * @throws TailraceError `unavailable` when nobody answers; {@link RefusedForNow} for 5xx, 408, 425 and 429; `bad_request` for any other
   *   refusal, with what it says
   */
  protected async request(
    path: string,
    headers: Readonly<Record<string, string>>,
    init: RequestInit = {},
  ): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(new URL(path, this.base), { ...init, headers: { ...this.headers, ...headers } });
    } catch (error) {
      const reason =
        error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
      throw new TailraceError(
        'unavailable',
        `There is no viewer at ${this.base} (${reason}): name it with --url.`,
      );
    }
    if (response.ok) return response;
    const text = await response.text();
    let answer: { id?: string; message?: string } = {};
    try {
      answer = JSON.parse(text) as typeof answer;
    } catch {
      // It isn't a viewer, or a proxy in front of one.
    }
    const message = sanitize(answer.message ?? `${this.base} answers ${response.status}.`);
    if (isTemporaryStatus(response.status)) throw new RefusedForNow(message, response);
    throw new TailraceError('bad_request', message);
  }
}

/** @throws TailraceError `not_found`, `multiple_matches` */
export function findByName<T extends { readonly id: string; readonly name: string }>(
  all: readonly T[],
  text: string,
  what: string,
): T {
  const wanted = text.toLowerCase();
  const found = all.filter(({ id, name }) => id === text || name.toLowerCase() === wanted);
  if (found.length === 1) return found[0];
  if (found.length > 1)
    throw new TailraceError(
      'multiple_matches',
      `There are ${found.length} of the name ${text}: name its group too.`,
    );
  const names = all.map(({ name }) => name).join(', ');
  throw new TailraceError('not_found', `There is no ${what} ${text}: there is ${names || 'none'}.`);
}

/** For commander: an option that may be given several times has all its values, in their order. */
export function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}
