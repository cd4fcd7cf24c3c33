import { errorMessage } from './text/error-message.ts';

/**
 * Every error code: as `id` in the API's error responses with its HTTP status, and in {@link TailraceError}. Messages are written
 * where they are thrown. docs/errors.md is made from this table and from platform-errors.ts.
 */
export const ERROR_CODES = {
  bad_request: { status: 400, meaning: "the request can't be read: its body, its address or its encoding" },
  count_mismatch: {
    status: 400,
    meaning: "`Logplex-Msg-Count` isn't the number of lines in the body; none was taken",
  },
  malformed_lines: {
    status: 400,
    meaning: "lines that aren't in the format that `Content-Type` names; none was taken",
  },
  unauthorized: {
    status: 401,
    meaning: 'no key or token, a wrong one, or a key without the scope that is needed',
  },
  forbidden: {
    status: 403,
    meaning: 'allowed to nobody, such as removing a drain that belongs to an add-on',
  },
  not_found: { status: 404, meaning: 'there is no such app, drain, release … or no such route' },
  method_not_allowed: { status: 405, meaning: 'lines are pushed with POST' },
  conflict: {
    status: 409,
    meaning: 'it is taken, exists already, or is in use: choose another, or end what uses it',
  },
  precondition_failed: {
    status: 412,
    meaning: '`If-Match` names another version: somebody else has changed it meanwhile, so read it again',
  },
  too_large: { status: 413, meaning: 'the body is over its limit, which the message names' },
  unsupported_type: {
    status: 415,
    meaning: "`Content-Type` or `Content-Encoding` isn't one that is understood here",
  },
  requested_range_not_satisfiable: {
    status: 416,
    meaning: "a `Range` of a list that can't be read; the message shows one that can",
  },
  invalid_params: {
    status: 422,
    meaning: "a value that can't be used; the message names it, and what it may be",
  },
  confirmation_required: {
    status: 423,
    meaning: 'it would overwrite something: the same request with `confirm`, the name of the app, does it',
  },
  upgrade_required: {
    status: 426,
    meaning: 'a WebSocket that was asked for without an upgrade, or whose upgrade a proxy has removed',
  },
  release_failed: {
    status: 422,
    meaning: "the release command failed: what was asked for isn't released, and what ran goes on",
  },
  multiple_matches: {
    status: 422,
    meaning: "a name that several add-ons have: the message has names that are one's own",
  },
  rate_limited: {
    status: 429,
    meaning: 'a token or an app sends more than its rate limit: `Retry-After` says when to go on',
  },
  internal_server_error: { status: 500, meaning: 'a fault of tailrace: its own log has the cause' },
  unavailable: {
    status: 503,
    meaning:
      'the store or something else that is needed is unavailable for now: try again after `Retry-After`',
  },
  outcome_unknown: {
    status: 503,
    meaning:
      'lines of the request are stored or may be, and nothing confirmed it in time: send it again as it is, to the same server or with the same `Logplex-Frame-Id`, and none is stored twice',
  },
  store_full: {
    status: 503,
    meaning: 'the disk or Redis is full: lines are taken again when there is space',
  },
  address_in_use: {
    status: 500,
    meaning: "a port or an address can't be listened on: the message names the setting",
  },
  data_folder: {
    status: 500,
    meaning: "the data folder, or one for `ship --spool`, can't be used, or another process uses it",
  },
  settings: { status: 500, meaning: "a setting can't be read or doesn't exist: the message names it" },
} as const satisfies Record<string, { readonly status: number; readonly meaning: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** An expected error: what was wrong and what to do, in one sentence; shown to the user as it is. */
export class TailraceError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TailraceError';
    this.code = code;
  }

  /** The HTTP status that goes with the code. */
  get status(): number {
    return ERROR_CODES[this.code].status;
  }

  /** `Retry-After`, in seconds (RFC 9110 section 10.2.3): undefined when waiting doesn't help. */
  get retryAfter(): string | undefined {
    return this.status === 429 || this.status === 503 ? '1' : undefined;
  }
}

/** The system's error code (`EADDRINUSE`, `ENOSPC` …) of an unknown thrown value, or ''. */
export function systemCode(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** Why something failed, for the brackets in a sentence: the system's code where there is one, or the error's message. */
export function reasonOf(error: unknown): string {
  return systemCode(error) || errorMessage(error);
}
