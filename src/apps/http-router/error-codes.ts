/** Why a request got no response from the app; the codes, texts and statuses are Heroku's. */
export type Failure = {
  readonly code: string;
  readonly desc: string;
  readonly status: number;
  readonly at: 'error' | 'warning' | 'info';
  /** Which side closed the connection, printed first in the line. */
  readonly sock?: 'backend' | 'client';
  /** What exactly was wrong with the request (H26). */
  readonly cause?: string;
};

const error = (code: string, desc: string, status = 503): Failure => ({ code, desc, status, at: 'error' });
const badRequest = (cause: string, status = 400): Failure => ({
  ...error('H26', 'Request Error', status),
  cause,
});
const clientError = (code: string, desc: string): Failure => ({
  ...error(code, desc, 499),
  at: 'warning',
  sock: 'client',
});

/** All failures, by name. */
export const failures = {
  crashed: error('H10', 'App crashed'),
  backlog: error('H11', 'Backlog too deep'),
  timeout: error('H12', 'Request timeout'),
  noResponse: error('H13', 'Connection closed without response'),
  noDynos: error('H14', 'No web processes running'),
  idle: error('H15', 'Idle connection'),
  malformed: error('H17', 'Poorly formatted HTTP response'),
  interrupted: { ...error('H18', 'Server Request Interrupted'), sock: 'backend' },
  connectTimeout: error('H19', 'Backend connection timeout'),
  boot: error('H20', 'App boot timeout'),
  refused: error('H21', 'Backend connection refused'),
  invalidLength: error('H25', 'HTTP restriction: invalid content length', 502),
  oversizedCookie: error('H25', 'HTTP restriction: oversized cookie', 502),
  oversizedHeader: error('H25', 'HTTP restriction: oversized header', 502),
  tooManyHeaders: error('H25', 'HTTP restriction: too many headers', 502),
  oversizedStatus: error('H25', 'HTTP restriction: oversized status line', 502),
  badHeader: badRequest('bad header'),
  badChunk: badRequest('bad chunk'),
  badRequestLine: badRequest('bad request line'),
  method: badRequest('unsupported method', 405),
  longRequestLine: badRequest('oversized request line', 414),
  longHeader: badRequest('oversized header', 431),
  manyHeaders: badRequest('too many headers', 431),
  expect: badRequest('unsupported expect header value', 417),
  clientGone: clientError('H27', 'Client Request Interrupted'),
  clientIdle: clientError('H28', 'Client Connection Idle'),
  maintenance: { ...error('H80', 'Maintenance mode'), at: 'info' },
  blank: { ...error('H81', 'Blank app', 502), at: 'info' },
  stopped: error('H99', 'Platform error'),
} as const satisfies Record<string, Failure>;
