/**
 * The HTTP handler. `204` means that the lines are in the file; a 4xx that a retry would be rejected again (senders drop the
 * frame then); a 503 that a retry may succeed.
 */

import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  DRAIN_FRAMES_MAX,
  splitCountedFrames,
} from '../../../src/logs/syslog/drain-frames/octet-counting.ts';
import { type Credentials, isAuthorized } from '../config/basic-auth.ts';
import { type Archive, WriteError } from '../storage/archive.ts';
import { formatFrames, formatRawFrames } from './format-frames.ts';
import { type BodyError, MemoryBudget, readBody } from './request-body.ts';

/** Bodies of the largest size that may be in memory at once. */
const BODIES_MAX = 8;
const CONTENT_TYPE = /^application\/(x-)?logplex-1\s*(;|$)/i;
const GZIP = /^(x-)?gzip$/i;

export interface ReceiverSettings {
  credentials: Credentials | undefined;
  raw: boolean;
  form: 'heroku' | 'rfc5424';
  bodyBytesMax: number;
}

interface ReceiverResponse {
  status: number;
  sentence?: string;
  headers?: Record<string, string>;
}

export class Receiver {
  private readonly archive: Archive;
  private readonly settings: ReceiverSettings;
  private readonly bodyBudget: MemoryBudget;

  constructor(archive: Archive, settings: ReceiverSettings) {
    this.archive = archive;
    this.settings = settings;
    this.bodyBudget = new MemoryBudget(settings.bodyBytesMax * BODIES_MAX);
  }

  /** Answers a request, once its lines are on disk: 204, or a status with a sentence as text. Rejects for what nobody expected. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, sentence, headers } = await this.respond(request);
    if (response.destroyed) return;
    response.writeHead(status, {
      ...(sentence && { 'content-type': 'text/plain; charset=utf-8' }),
      ...headers,
    });
    response.end(sentence && `${sentence}\n`);
  }

  private async respond(request: IncomingMessage): Promise<ReceiverResponse> {
    const { method, headers } = request;
    if ((method === 'GET' || method === 'HEAD') && request.url?.split('?')[0] === '/health') {
      const problem = await this.archive.problem();
      return problem === undefined
        ? { status: 200, sentence: 'OK' }
        : { status: 503, sentence: `The lines cannot be written at the moment: ${problem}` };
    }
    if (method !== 'POST') {
      return {
        status: 405,
        sentence: 'Only POST is understood here, and GET /health.',
        headers: { allow: 'POST' },
      };
    }
    if (!isAuthorized(headers.authorization, this.settings.credentials)) {
      return {
        status: 401,
        sentence: "The user or password is missing or wrong; both go into the drain's URL.",
        headers: { 'www-authenticate': 'Basic realm="Tailrace archive"' },
      };
    }
    if (!CONTENT_TYPE.test(headers['content-type'] ?? '')) {
      return { status: 415, sentence: 'The content type must be application/logplex-1.' };
    }
    const encoding = headers['content-encoding'] ?? 'identity';
    const isGzip = GZIP.test(encoding);
    if (!isGzip && encoding.toLowerCase() !== 'identity') {
      return { status: 415, sentence: 'The content encoding must be gzip, or none.' };
    }
    if (Number(headers['content-length'] ?? 0) > this.settings.bodyBytesMax) {
      return this.rejectBody('too large');
    }
    const body = await readBody(request, isGzip, this.settings.bodyBytesMax, this.bodyBudget);
    if (typeof body === 'string') return this.rejectBody(body);
    try {
      return await this.store(request, body);
    } finally {
      this.bodyBudget.release(body.length);
    }
  }

  private async store(request: IncomingMessage, body: Buffer): Promise<ReceiverResponse> {
    const split = splitCountedFrames(body);
    if ('error' in split) {
      return split.error === 'malformed'
        ? { status: 400, sentence: `Malformed frame at byte ${split.atByte}: expected "<length> <message>".` }
        : { status: 413, sentence: `A request may hold at most ${DRAIN_FRAMES_MAX} frames.` };
    }
    const { frames } = split;
    const claimedCount = headerText(request, 'logplex-msg-count');
    if (
      claimedCount !== undefined &&
      !(/^\d{1,15}$/.test(claimedCount) && Number(claimedCount) === frames.length)
    ) {
      return { status: 400, sentence: 'Message count mismatch' };
    }
    if (frames.length === 0) return { status: 204 };
    const { raw, form } = this.settings;
    const text = raw ? formatRawFrames(frames) : formatFrames(frames, form, Date.now());
    try {
      await this.archive.append(headerText(request, 'logplex-drain-token'), frameId(request), text);
    } catch (error) {
      if (!(error instanceof WriteError)) throw error;
      return retryLater('The lines cannot be written at the moment.');
    }
    return { status: 204 };
  }

  private rejectBody(error: BodyError): ReceiverResponse {
    switch (error) {
      case 'too large':
        return {
          status: 413,
          sentence: `A body may hold at most ${this.settings.bodyBytesMax} bytes, unpacked.`,
        };
      case 'no memory':
        return retryLater('Too many requests at once.');
      case 'not gzip':
        return { status: 400, sentence: 'The body is not valid gzip.' };
      case 'cut off':
        return { status: 400, sentence: 'The body ended too early.' };
    }
  }
}

function retryLater(sentence: string): ReceiverResponse {
  return { status: 503, sentence, headers: { 'retry-after': '1' } };
}

/** Node.js joins a header that is sent twice; the type doesn't know. */
function headerText(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** A frame id as the journal can store it: short, without spaces, and never the `-` that means none. */
function frameId(request: IncomingMessage): string | undefined {
  const id = headerText(request, 'logplex-frame-id');
  if (id === undefined || id === '') return undefined;
  if (/^[0-9A-Za-z][0-9A-Za-z_.:-]{0,127}$/.test(id)) return id;
  return `sha256:${createHash('sha256').update(id).digest('hex')}`;
}
