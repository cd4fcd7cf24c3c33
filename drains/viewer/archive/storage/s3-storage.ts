/**
 * Archives in a bucket of S3, or of anything that speaks its protocol. The requests are s3mini's; when they are made again, which parts a
 * large file is sent in, and whether what arrived is what was sent, is decided here.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { S3mini } from 's3mini';
import type { Agent, RequestInit as UndiciRequest, Response as UndiciResponse } from 'undici';
import { backoffMs } from '../../../../src/common/backoff.ts';
import { TailraceError } from '../../../../src/common/errors.ts';
import { isJsonObject } from '../../../../src/common/json-object.ts';
import { trimTrailing } from '../../../../src/common/limits/trim-trailing.ts';
import type { ArchiveStorage, LocalFile, StoredFile } from './archive-storage.ts';

/** At least 5 MiB, and 10,000 of them at the most: files up to 160 GB. */
const PART_BYTES = 16 << 20;
const ATTEMPTS = 4;
const ANSWER_MS = 20_000;
const RETRY = { firstMs: 200, maxMs: 5_000 };
const GZIP = 'application/gzip';
const LIST_REQUEST = /[?&]list-type=2(?:&|$)/;
const JSON_TYPE = 'application/json';

export interface S3Options {
  /** `https://s3.eu-central-1.amazonaws.com`. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Without slashes at its ends; '' for none. */
  readonly prefix: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Larger files are sent in parts of so many bytes. */
  readonly partBytes?: number;
  /** How long something that is read may be waited for. */
  readonly answerMs?: number;
}

export class S3Storage implements ArchiveStorage {
  readonly description: string;
  private readonly client: S3mini;
  private readonly prefix: string;
  private readonly partBytes: number;
  /** What ends the request that is made: the client has no argument for it. */
  private readonly signals = new AsyncLocalStorage<AbortSignal | undefined>();

  constructor(options: S3Options) {
    const { endpoint, bucket, prefix, region, accessKeyId, secretAccessKey } = options;
    this.description = `s3://${bucket}${prefix && `/${prefix}`} at ${new URL(endpoint).host}`;
    this.prefix = prefix && `${prefix}/`;
    this.partBytes = options.partBytes ?? PART_BYTES;
    this.client = new S3mini({
      accessKeyId,
      secretAccessKey,
      endpoint: `${trimTrailing(endpoint, '/')}/${bucket}`,
      region,
      fetch: fetchByUndici(options.answerMs ?? ANSWER_MS, () => this.signals.getStore()),
    });
  }

  async list(prefix: string, signal?: AbortSignal): Promise<readonly StoredFile[]> {
    const found = await this.request(
      'listed',
      () => this.client.listObjects('/', `${this.prefix}${prefix}`),
      signal,
    );
    if (!found) throw new TailraceError('unavailable', `${this.description}: there is no such bucket.`);
    return found
      .filter(({ Key }) => !Key.endsWith('/'))
      .map(({ Key, Size, ETag }) => ({
        key: Key.slice(this.prefix.length),
        bytes: Number(Size),
        version: ETag,
      }));
  }

  async find(key: string, signal?: AbortSignal): Promise<StoredFile | undefined> {
    return (await this.list(key, signal)).find((file) => file.key === key);
  }

  async put(key: string, file: LocalFile, signal?: AbortSignal): Promise<void> {
    const handle = await open(file.path, 'r');
    try {
      const isProven =
        file.bytes <= this.partBytes
          ? await this.putWhole(key, await readPart(handle, 0, file.bytes), GZIP, signal)
          : await this.putParts(key, handle, file, signal);
      if (!isProven) await this.compare(key, file.sha256, signal);
    } finally {
      await handle.close();
    }
  }

  async putText(key: string, text: string | Uint8Array, signal?: AbortSignal): Promise<void> {
    const bytes = Buffer.from(text);
    if (!(await this.putWhole(key, bytes, JSON_TYPE, signal)))
      await this.compare(key, createHash('sha256').update(bytes).digest('hex'), signal);
  }

  /** Parts of uploads that nobody ends are paid for, and aren't listed. Where they may not be asked for, a rule of the bucket removes them. */
  async removeUnfinished(key: string, signal?: AbortSignal): Promise<void> {
    const name = this.prefix + key;
    try {
      const found: unknown = await this.request(
        'listed',
        () => this.client.listMultipartUploads('/', name, 'GET', { prefix: name }),
        signal,
      );
      for (const id of uploadsOf(found, name))
        await this.request('written', () => this.client.abortMultipartUpload(name, id), signal);
    } catch (error) {
      if (!(error instanceof TailraceError)) throw error;
    }
  }

  async read(key: string, signal?: AbortSignal): Promise<Readable> {
    const response = await this.request(
      'read',
      () => this.client.getObjectResponse(this.prefix + key),
      signal,
    );
    if (!response?.body)
      throw new TailraceError('not_found', `There is no file ${key} in the archive ${this.description}.`);
    return Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]);
  }

  /** Is the answer's ETag the MD5 of what was sent? It isn't everywhere: not with SSE-KMS. */
  private async putWhole(key: string, bytes: Buffer, type: string, signal?: AbortSignal): Promise<boolean> {
    const response = await this.request(
      'written',
      () =>
        this.client.putObject(this.prefix + key, bytes, type, undefined, checksumHeader(bytes), bytes.length),
      signal,
    );
    await response.body?.cancel();
    return isMd5Of(response.headers.get('etag') ?? '', bytes);
  }

  private async putParts(
    key: string,
    handle: FileHandle,
    file: LocalFile,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const name = this.prefix + key;
    const { client } = this;
    const id = await this.request('written', () => client.getMultipartUploadId(name, GZIP), signal);
    let isProven = true;
    try {
      const parts: { partNumber: number; etag: string }[] = [];
      for (let at = 0; at < file.bytes; at += this.partBytes) {
        const bytes = await readPart(handle, at, Math.min(this.partBytes, file.bytes - at));
        const part = await this.request(
          'written',
          () => client.uploadPart(name, id, bytes, parts.length + 1),
          signal,
        );
        isProven &&= isMd5Of(part.etag, bytes);
        parts.push(part);
      }
      await this.request('written', () => client.completeMultipartUpload(name, id, parts), signal);
    } catch (error) {
      // Parts that nobody asks for are paid for.
      await client.abortMultipartUpload(name, id).catch(() => undefined);
      throw error;
    }
    // That all parts are in it, and nothing else.
    return isProven && (await this.find(key, signal))?.bytes === file.bytes;
  }

  /** Reads what was written, where nothing else tells that it is what was sent. */
  private async compare(key: string, sha256: string, signal: AbortSignal | undefined): Promise<void> {
    const hash = createHash('sha256');
    for await (const chunk of await this.read(key, signal)) hash.update(chunk);
    if (hash.digest('hex') !== sha256)
      throw new TailraceError(
        'unavailable',
        `${this.description}: ${key} reads differently from what was written; it is written again.`,
      );
  }

  private async request<T>(what: string, attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let number = 1; ; number++) {
      signal?.throwIfAborted();
      try {
        return await this.signals.run(signal, attempt);
      } catch (error) {
        signal?.throwIfAborted();
        if (number === ATTEMPTS || !isTransient(error)) throw this.unavailable(what, error);
        await sleep(backoffMs(number, RETRY), undefined, { signal });
      }
    }
  }

  private unavailable(what: string, error: unknown): TailraceError {
    const { status, code, reason } = describe(error);
    const advice = adviceFor(status, code);
    return new TailraceError(
      'unavailable',
      `${this.description} can't be ${what} (${[status, code].filter(Boolean).join(' ') || reason}): ${advice}.`,
      { cause: error },
    );
  }
}

/** What to do about an answer, or none. */
function adviceFor(status?: number, code?: string): string {
  if (code === 'RequestTimeTooSkewed' || code === 'RequestExpired')
    return "this machine's clock, or the store's, is wrong: set it (with NTP)";
  if (status === 301 || code === 'AuthorizationHeaderMalformed')
    return 'the bucket is in another region: name it with ?region= in VIEWER_ARCHIVE';
  if (status === 401 || status === 403)
    return "the access key may not do that: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what the bucket's policy allows";
  if (status === 404) return 'there is no such bucket: create it, or check the name in VIEWER_ARCHIVE';
  return 'check the endpoint and that it is reachable; it is tried again';
}

/** Refused for what was asked isn't answered otherwise the next time. */
function isTransient(error: unknown): boolean {
  const { status, reason } = describe(error);
  // Somebody has waited for long enough.
  if (reason === 'UND_ERR_HEADERS_TIMEOUT' || reason === 'UND_ERR_CONNECT_TIMEOUT') return false;
  return status === undefined || (status >= 500 && status !== 501) || status === 408 || status === 429;
}

/**
 * A list of a bucket that has come whole. Of half of one, or of a page that says who may use a network, the client makes a list that has less in it, or
 * nothing: then what is there would be written over.
 */
async function wholeList(response: UndiciResponse): Promise<Response> {
  const text = await response.text();
  const trimmed = text.trimEnd();
  const begin = trimmed.lastIndexOf('<ListBucketResult');
  const isEmpty = trimmed.endsWith('/>') && trimmed.indexOf('>', begin) === trimmed.length - 1;
  if (begin === -1 || !(isEmpty || trimmed.endsWith('</ListBucketResult>')))
    throw new Error('it answers with something else than a list of files, or half of one');
  return new Response(text, { status: response.status });
}

/** The ids of uploads of this name that aren't over, as a list of uploads has them: one, several or none. */
function uploadsOf(listed: unknown, name: string): readonly string[] {
  const result = isJsonObject(listed)
    ? (listed.ListMultipartUploadsResult ?? listed.listMultipartUploadsResult ?? listed)
    : undefined;
  const uploads = isJsonObject(result) ? (result.Upload ?? result.upload) : undefined;
  return (Array.isArray(uploads) ? uploads : [uploads])
    .filter(isJsonObject)
    .filter(({ Key, key }) => (Key ?? key) === name)
    .map(({ UploadId, uploadId }) => UploadId ?? uploadId)
    .filter((id) => typeof id === 'string');
}

function describe(error: unknown): { status?: number; code?: string; reason: string } {
  if (!(error instanceof Error)) return { reason: String(error) };
  const status = 'status' in error && typeof error.status === 'number' ? error.status : undefined;
  const known =
    'serviceCode' in error && typeof error.serviceCode === 'string' ? error.serviceCode : undefined;
  // Of answers with a charset the client doesn't read it.
  const body = 'body' in error && typeof error.body === 'string' ? error.body : '';
  const code = known === 'Unknown' ? (/<Code>(\w{1,50})<\/Code>/.exec(body)?.[1] ?? known) : known;
  const cause = error.cause instanceof Error ? error.cause : error;
  const reason = 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message.slice(0, 200);
  return { status, code, reason };
}

async function readPart(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) throw new Error('the file became shorter while it was read');
    done += bytesRead;
  }
  return bytes;
}

/** Servers that know it refuse a body that isn't this. */
function checksumHeader(bytes: Buffer): { 'x-amz-checksum-sha256': string } {
  return { 'x-amz-checksum-sha256': createHash('sha256').update(bytes).digest('base64') };
}

function isMd5Of(etag: string, bytes: Buffer): boolean {
  return etag.replaceAll('"', '').toLowerCase() === createHash('md5').update(bytes).digest('hex');
}

/**
 * The fetch of the package that sends everything else here. Node.js's own shares its connections with that once it is loaded, and the two
 * needn't be of one version.
 * @param answerMs how long something that is read may be waited for; what is written may be large, and its line slow
 * @param signalNow what ends the request that is made now
 */
function fetchByUndici(answerMs: number, signalNow: () => AbortSignal | undefined): typeof fetch {
  let readers: Agent | undefined;
  return (async (input: string, init?: UndiciRequest) => {
    const { Agent, fetch: send } = await import('undici');
    if (init?.method === 'PUT' || init?.method === 'POST')
      return send(input, { ...init, signal: signalNow() });
    readers ??= new Agent({
      connect: { timeout: answerMs },
      headersTimeout: answerMs,
      bodyTimeout: answerMs,
    });
    const response = await send(input, { ...init, signal: signalNow(), dispatcher: readers });
    return response.ok && LIST_REQUEST.test(input) ? await wholeList(response) : response;
  }) as unknown as typeof fetch;
}
