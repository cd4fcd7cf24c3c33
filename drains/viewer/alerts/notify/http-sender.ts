/** Posts notifications, to allowed addresses alone; redirects aren't followed. */

import type { Socket } from 'node:net';
import { errorMessage } from '../../../../src/common/text/error-message.ts';
import {
  classifyDrainResponse,
  parseRetryAfter,
} from '../../../../src/logs/drains/encoders/classify-response.ts';
import { parseDrainUrl } from '../../../../src/logs/drains/options/drain-record.ts';
import type { Dialer } from '../../../../src/logs/drains/sinks/dialer.ts';
import type { HttpNotification } from './forms.ts';

const RESPONSE_TIMEOUT_MS = 15_000;
const ERROR_TEXT_MAX = 200;
/** Of an answer so much is read: more than an address may have. */
const ANSWER_MAX = 65_536;
/** Characters from which on a part of an address is taken for a secret, and not for a word as `api`; and what is one in any case. */
const SECRET_PART_MIN = 8;
const SECRET_MIN = 4;

/** It wasn't accepted. */
export class NotificationError extends Error {
  /** It never will be. */
  readonly isPermanent: boolean;
  /** It is to be sent again so much later. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    isPermanent = false,
    options: { cause?: unknown; retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.name = 'NotificationError';
    this.isPermanent = isPermanent;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/**
 * @param idempotencyKey the same for every attempt to send it
 * @throws NotificationError whose message has nothing of the address but its host
 */
export async function postNotification(
  { url, contentType, body, secrets = [] }: HttpNotification,
  idempotencyKey: string,
  dialer: Dialer,
  version: string,
): Promise<void> {
  const target = parseDrainUrl(url);
  const { host, port, secure, insecure } = target;
  const undici = await import('undici');
  const closing = new AbortController();
  const client = new undici.Client(`${target.protocol}//${target.url.host}`, {
    connect: (_, connected) => {
      dialer.dial({ host, port, tls: secure ? { insecure } : undefined }, undefined, closing.signal).then(
        (socket: Socket) => connected(null, socket),
        (error: Error) => connected(error, null),
      );
    },
    headersTimeout: RESPONSE_TIMEOUT_MS,
    bodyTimeout: RESPONSE_TIMEOUT_MS,
  });
  try {
    const { username, password, pathname, search } = target.url;
    const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    const response = await client.request({
      method: 'POST',
      path: pathname + search,
      headers: {
        'content-type': contentType,
        'user-agent': `tailrace-viewer/${version}`,
        'idempotency-key': idempotencyKey,
        ...((username || password) && { authorization: `Basic ${Buffer.from(user).toString('base64')}` }),
      },
      body,
      signal: AbortSignal.timeout(RESPONSE_TIMEOUT_MS * 2),
    });
    const { statusCode } = response;
    const { 'retry-after': retryAfter, date } = response.headers;
    // Whatever comes behind it, and however slowly.
    if (classifyDrainResponse(statusCode) === 'accepted') return;
    const text = await readText(response.body, [...secretsOf(target.url), ...secrets]);
    const redirect = statusCode >= 300 && statusCode < 400 ? ': redirects are not followed' : '';
    throw new NotificationError(
      `${target.url.host} answered ${statusCode}${redirect}${text && `: ${text}`}`,
      // Nobody will repair what was sent; a key or an address somebody may.
      classifyDrainResponse(statusCode) === 'refused' || redirect !== '',
      { retryAfterMs: parseRetryAfter(retryAfter, typeof date === 'string' ? date : undefined) },
    );
  } catch (error) {
    if (error instanceof NotificationError) throw error;
    throw new NotificationError(errorMessage(error), false, {
      cause: error,
    });
  } finally {
    closing.abort();
    await client.destroy();
  }
}

/** What of an address may be a secret: many answer with the path that they don't know. */
function secretsOf({ pathname, search, searchParams, username, password }: URL): string[] {
  const parts = pathname.split('/').filter((part) => part.length >= SECRET_PART_MIN);
  const own = [
    pathname + search,
    pathname,
    search.slice(1),
    ...parts,
    ...searchParams.values(),
    username,
    password,
  ];
  const authorization = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64');
  return [...own, ...own.map(decoded), ...(username || password ? [authorization] : [])];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The beginning of an answer, without secrets; what of it has come when it breaks off. */
async function readText(body: AsyncIterable<Buffer>, secrets: readonly string[]): Promise<string> {
  let text = '';
  try {
    for await (const chunk of body) {
      text += chunk.toString('latin1');
      if (text.length >= ANSWER_MAX) break;
    }
  } catch {
    // The status says enough.
  }
  const longestFirst = [...new Set(secrets)]
    .filter(({ length }) => length >= SECRET_MIN)
    .sort((a, b) => b.length - a.length);
  // One that is cut off wouldn't be found.
  if (text.length >= ANSWER_MAX) text = text.slice(0, ANSWER_MAX - (longestFirst[0]?.length ?? 0));
  for (const secret of longestFirst) text = text.replaceAll(Buffer.from(secret).toString('latin1'), '****');
  return text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, ERROR_TEXT_MAX);
}
