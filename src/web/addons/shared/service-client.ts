/** Requests of a page to its service. Addresses are relative: `api/messages`. */

import { noteServerDate } from '../../stream/server-clock.ts';

/** A request that failed. `message` is a sentence for whoever reads the page. */
export class ServiceError extends Error {
  /** 0: no answer came. */
  readonly status: number;
  /** What else the service said, when it answered with JSON. */
  readonly answer: Readonly<Record<string, unknown>>;

  constructor(status: number, message: string, answer: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = 'ServiceError';
    this.status = status;
    this.answer = answer;
  }
}

const TIMEOUT_MS = 20_000;

export interface ServiceRequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Gives the request up; without one it is given up after a while. */
  readonly signal?: AbortSignal;
}

/** @param body is sent as JSON, or as it is. @throws ServiceError, or what `signal` was aborted with */
export async function requestService(
  path: string,
  method = 'GET',
  body?: object,
  { headers, signal }: ServiceRequestOptions = {},
): Promise<Response> {
  const isBytes = body instanceof Blob;
  const type = body && { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' };
  const sentAtMs = Date.now();
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: { ...type, ...headers },
      body: isBytes ? body : body && JSON.stringify(body),
      signal: signal ?? AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    signal?.throwIfAborted();
    throw new ServiceError(0, 'The server is unreachable.');
  }
  noteServerDate(response.headers.get('date'), sentAtMs);
  if (response.ok) return response;
  const text = await response.text().catch(() => '');
  const answer = parseAnswer(text);
  const { message } = answer;
  throw new ServiceError(
    response.status,
    typeof message === 'string' ? message : `The server answered with an error (${response.status}).`,
    answer,
  );
}

/** @throws ServiceError */
export async function getFromService<T>(path: string): Promise<T> {
  return (await requestService(path)).json() as Promise<T>;
}

function parseAnswer(body: string): Readonly<Record<string, unknown>> {
  try {
    const answer: unknown = JSON.parse(body);
    return typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
