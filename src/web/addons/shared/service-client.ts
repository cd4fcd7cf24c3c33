/** Requests of a page to its service. Addresses are relative: `api/messages`. */

/** A request that failed. `message` is a sentence for whoever reads the page. */
export class ServiceError extends Error {
  /** 0: no answer came. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'ServiceError';
    this.status = status;
  }
}

const TIMEOUT_MS = 20_000;

/** @param body is sent as JSON. @throws ServiceError */
export async function requestService(path: string, method = 'GET', body?: object): Promise<Response> {
  const json = body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  let response: Response;
  try {
    response = await fetch(path, { method, ...json, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    throw new ServiceError(0, 'The server is unreachable.');
  }
  if (response.ok) return response;
  const text = await response.text().catch(() => '');
  throw new ServiceError(
    response.status,
    messageOf(text) ?? `The server answered with an error (${response.status}).`,
  );
}

/** @throws ServiceError */
export async function getFromService<T>(path: string): Promise<T> {
  return (await requestService(path)).json() as Promise<T>;
}

function messageOf(body: string): string | undefined {
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
