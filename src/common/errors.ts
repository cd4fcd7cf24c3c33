/** Every expected error has a stable code, listed here with its HTTP status; the text is written where it is thrown. */
const STATUS = {
  bad_request: 400,
  count_mismatch: 400,
  malformed_lines: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  requested_range_not_satisfiable: 416,
  unsupported_type: 415,
  invalid_params: 422,
  rate_limited: 429,
  unavailable: 503,
  store_full: 503,
  address_in_use: 500,
  data_folder: 500,
  settings: 500,
} as const;

export type ErrorCode = keyof typeof STATUS;

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
    return STATUS[this.code];
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
  return systemCode(error) || (error instanceof Error ? error.message : String(error));
}
