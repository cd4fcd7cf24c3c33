/** Reads another server's Platform API (version 3): Heroku's, or that of another Tailrace. It sends nothing but GET. */
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '../../common/backoff.ts';
import { reasonOf, systemCode, TailraceError } from '../../common/errors.ts';

/** One answer, and the headers that matter. */
interface SourceAnswer {
  readonly status: number;
  readonly text: string;
  readonly nextRange: string | undefined;
  readonly retryAfter: string | undefined;
}

const ACCEPT = 'application/vnd.heroku+json; version=3';
const TIMEOUT_MS = 30_000;
/** A list of more than that many pages or things never ends. */
const PAGES_MAX = 500;
const ITEMS_MAX = 100_000;
const ANSWER_BYTES_MAX = 16 * 1_048_576;
const ATTEMPTS_MAX = 6;
const BACKOFF = { firstMs: 500, maxMs: 8_000 } as const;
/** Who is told to wait longer than that is told so, rather than waited for. */
const LONGEST_WAIT_MS = 120_000;
/** What may be over with the next attempt; a host that isn't there, or a certificate that is wrong, isn't. */
const PASSING = new Set([
  'ECONNRESET',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'EPIPE',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

interface SourceApiOptions {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string;
  /** Is told why it takes longer. */
  readonly onWait: (reason: string) => void;
}

/** Waits and tries again where the server says so (429, `Retry-After`) or doesn't answer; bounded in time, bytes and pages. */
export class SourceApi {
  readonly url: string;
  private readonly options: SourceApiOptions;

  constructor(options: SourceApiOptions) {
    this.options = options;
    this.url = options.url;
  }

  /** `api.heroku.com`, for sentences. */
  get host(): string {
    return new URL(this.url).host;
  }

  /**
   * One resource.
   * @throws TailraceError with a sentence for whatever goes wrong
   */
  async get(path: string): Promise<unknown> {
    return this.parse(path, await this.request(path, undefined));
  }

  /** All of a list, page after page (206 and `Next-Range`). @throws TailraceError */
  async list(path: string, firstRange?: string): Promise<readonly unknown[]> {
    const all: unknown[] = [];
    let range = firstRange;
    for (let page = 0; page < PAGES_MAX; page++) {
      const answer = await this.request(path, range);
      const items = this.parse(path, answer);
      if (!Array.isArray(items)) throw this.unexpected(path, 'no list');
      all.push(...(items as unknown[]));
      if (answer.status !== 206 || answer.nextRange === undefined || answer.nextRange === range) return all;
      if (all.length > ITEMS_MAX) throw this.unexpected(path, `more than ${ITEMS_MAX} things`);
      range = answer.nextRange;
    }
    throw this.unexpected(path, `more than ${PAGES_MAX} pages`);
  }

  /** The first page of a list, which a range limits. @throws TailraceError */
  async firstOf(path: string, range: string): Promise<unknown> {
    const items = this.parse(path, await this.request(path, range));
    return Array.isArray(items) ? (items as unknown[])[0] : undefined;
  }

  private parse(path: string, { text }: SourceAnswer): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw this.unexpected(path, 'no JSON');
    }
  }

  private unexpected(path: string, what: string): TailraceError {
    return new TailraceError(
      'unavailable',
      `${this.host} answered GET ${path} with ${what}: is --from the address of a Platform API (https://api.heroku.com)?`,
    );
  }

  private async request(path: string, range: string | undefined): Promise<SourceAnswer> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.send(path, range);
      const isOver = attempt === ATTEMPTS_MAX;
      if (answer instanceof Error) {
        if (isOver || !PASSING.has(systemCode(answer))) throw unreachable(this.host, answer);
        await this.pause(attempt, undefined, `${this.host} doesn't answer (${reasonOf(answer)})`);
        continue;
      }
      if (answer.status === 200 || answer.status === 206) return answer;
      if (answer.status !== 429 && answer.status < 500) throw refusal(this.host, path, answer);
      const waitMs = retryAfterMs(answer.retryAfter);
      if (isOver || (waitMs ?? 0) > LONGEST_WAIT_MS) throw refusal(this.host, path, answer);
      const why = answer.status === 429 ? 'is asked too often' : `answers ${answer.status}`;
      await this.pause(attempt, waitMs, `${this.host} ${why}`);
    }
  }

  private async pause(attempt: number, waitMs: number | undefined, reason: string): Promise<void> {
    const ms = waitMs ?? backoffMs(attempt, BACKOFF);
    this.options.onWait(`${reason}: trying again in ${Math.ceil(ms / 1_000)} s`);
    await sleep(ms);
  }

  /** An answer, or what went wrong before there was one. Redirects aren't followed: the key is for this host alone. */
  private async send(path: string, range: string | undefined): Promise<SourceAnswer | Error> {
    const { request } = await import('undici');
    const headers: Record<string, string> = {
      authorization: `Bearer ${this.options.key}`,
      accept: ACCEPT,
      'user-agent': 'tailrace-import',
    };
    if (range !== undefined) headers.range = range;
    try {
      const {
        statusCode,
        headers: answered,
        body,
      } = await request(this.url + path, {
        method: 'GET',
        headers,
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
      });
      const text = await readText(body);
      if (text === undefined) throw this.unexpected(path, `more than ${ANSWER_BYTES_MAX / 1_048_576} MB`);
      const nextRange = only(answered['next-range']);
      return { status: statusCode, text, nextRange, retryAfter: only(answered['retry-after']) };
    } catch (error) {
      if (error instanceof TailraceError) throw error;
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

/** @returns undefined for more than any app has */
async function readText(body: AsyncIterable<Buffer>): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let byteCount = 0;
  for await (const part of body) {
    byteCount += part.length;
    if (byteCount > ANSWER_BYTES_MAX) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function only(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

/** Seconds or a date (RFC 9110 section 10.2.3), in milliseconds from now on; undefined when it is neither. */
export function retryAfterMs(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1_000;
  const time = Date.parse(header);
  return Number.isNaN(time) ? undefined : Math.max(0, time - now);
}

function unreachable(host: string, error: Error): TailraceError {
  const cause = error.cause instanceof Error ? error.cause : error;
  return new TailraceError(
    'unavailable',
    `${host} can't be reached (${reasonOf(cause)}): nothing was changed; check --from and the network, and run it again.`,
    { cause: error },
  );
}

/** What a refusal means, with its own words where it has some. Its `id` says which one it is, as in Heroku's API. */
function refusal(host: string, path: string, { status, text, retryAfter }: SourceAnswer): TailraceError {
  const { id, message } = errorIn(text);
  const said = message === '' ? '' : ` ("${message.slice(0, 300)}")`;
  if (id === 'two_factor' || (status === 403 && /two.?factor|second factor/i.test(message)))
    return new TailraceError(
      'forbidden',
      `${host} wants a second factor for this key${said}: make one that needs none with \`heroku authorizations:create --scope read-protected\`, and give that as HEROKU_API_KEY.`,
    );
  if (status === 401)
    return new TailraceError(
      'unauthorized',
      `${host} doesn't accept the key${said}: \`heroku auth:token\` prints one that is good; give it as HEROKU_API_KEY or with --key-file.`,
    );
  if (status === 403)
    return new TailraceError(
      'forbidden',
      `The key may not read ${path} at ${host}${said}: it needs the scope read-protected, of somebody who may see the app.`,
    );
  if (status === 404)
    return new TailraceError(
      'not_found',
      `There is no ${path} at ${host}, or the key doesn't show it${said}.`,
    );
  if (status === 429) {
    const when = retryAfter === undefined ? 'in some minutes' : `after ${retryAfter} s`;
    return new TailraceError(
      'rate_limited',
      `${host} is asked too often${said}: run the same again ${when}.`,
    );
  }
  return new TailraceError('unavailable', `${host} answered GET ${path} with ${status}${said}.`);
}

function errorIn(text: string): { readonly id: string; readonly message: string } {
  try {
    const { id, message } = JSON.parse(text) as Record<string, unknown>;
    return { id: typeof id === 'string' ? id : '', message: typeof message === 'string' ? message : '' };
  } catch {
    return { id: '', message: '' };
  }
}
