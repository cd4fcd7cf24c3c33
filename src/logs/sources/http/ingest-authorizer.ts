import type { FastifyReply, FastifyRequest } from 'fastify';
import { TailraceError } from '../../../common/errors.ts';
import { readAuthorization } from '../../../common/http/authorization.ts';
import { parseCount } from '../../../common/http/fields.ts';
import type { AuthFailureThrottle } from '../../../common/limits/auth-failure-throttle.ts';
import type { LogRouter } from '../../router/log-router.ts';
import type { RateLimiter } from '../../router/rate-limiter.ts';
import type { LogSource } from '../../router/token-cache.ts';
import type { AppId } from '../../store/contract.ts';
import type { ListenerCounters } from '../listener-counters.ts';

/** The sender of a request. */
export interface AuthorizedSender {
  /** The source of all lines; undefined when every line has its own token. */
  readonly logSource: LogSource | undefined;
}

/** What says besides the token whose lines a request has. */
export interface SenderHints {
  /** `Logplex-Drain-Token`: of the drain that sends it. */
  readonly drainToken: string | undefined;
  /** `?stream=`: the name that whoever set the sender up has given. */
  readonly stream: string | undefined;
}

/** The source of a request with a token, where more than the token says whose lines it has. */
export type SourceForSender = (logSource: LogSource, hints: SenderHints) => LogSource | Promise<LogSource>;

export interface IngestAuthorizerOptions {
  readonly router: LogRouter;
  readonly rateLimiter: RateLimiter;
  /** May this API key write lines: to any app, or to these alone? */
  readonly mayWrite: (key: string) => Promise<boolean | readonly AppId[]>;
  /** Left out: the token's own. */
  readonly sourceForSender?: SourceForSender;
  readonly counters: ListenerCounters;
  readonly guesses: AuthFailureThrottle;
}

/** Authenticates senders, and admits requests within the limits. */
export class IngestAuthorizer {
  private readonly options: IngestAuthorizerOptions;

  constructor(options: IngestAuthorizerOptions) {
    this.options = options;
  }

  /**
   * The sender, by a source token or by an API key with or without `?token=`.
   * @throws TailraceError `unauthorized`
   */
  async authorize(request: FastifyRequest, reply: FastifyReply): Promise<AuthorizedSender> {
    const credentials = readAuthorization(request.headers.authorization);
    if (credentials.kind === 'token') {
      const logSource = await this.resolveToken(credentials.token, request);
      if (logSource) return { logSource };
      this.options.counters.unknownToken++;
    } else if (credentials.kind === 'key') {
      const writable = await this.options.mayWrite(credentials.key);
      const token = queryText(request, 'token');
      if (writable === true && !token) return { logSource: undefined };
      if (writable !== false) {
        if (!token)
          throw new TailraceError(
            'forbidden',
            "This API key is for some apps alone: say which one's lines these are with `?token=t.…`.",
          );
        const logSource = await this.resolveToken(token, request);
        if (logSource && (writable === true || writable.includes(logSource.app))) return { logSource };
      }
    }
    if (credentials.kind !== 'none') await this.options.guesses.pace(request.ip);
    reply.header('WWW-Authenticate', 'Basic realm="Logplex"');
    throw new TailraceError(
      'unauthorized',
      'Unauthorized: show a source token (Basic, user `token`, password `t.…`) or an API key that may write.',
    );
  }

  /** @throws TailraceError `rate_limited` when the sender has sent too much, `unavailable` when the router is congested. */
  admit(request: FastifyRequest, { logSource }: AuthorizedSender): void {
    const rejection = rejectionFor(logSource, request.headers['logplex-msg-count'], this.options);
    if (rejection) throw rejection;
  }

  private async resolveToken(token: string, request: FastifyRequest): Promise<LogSource | null> {
    const { router, sourceForSender } = this.options;
    const known = router.lookupToken(token);
    const logSource = known === undefined ? await router.loadToken(token) : known; // null: known to be unknown
    if (!logSource || !sourceForSender) return logSource;
    const drainToken = request.headers['logplex-drain-token'];
    return sourceForSender(logSource, {
      drainToken: typeof drainToken === 'string' ? drainToken : undefined,
      stream: queryText(request, 'stream'),
    });
  }
}

/**
 * Why a request is rejected before its lines are read: `rate_limited` when the sender has sent too much, `unavailable` when the
 * router is congested.
 *
 * @param msgCount its `Logplex-Msg-Count`.
 */
export function rejectionFor(
  logSource: LogSource | undefined,
  msgCount: string | string[] | undefined,
  { rateLimiter, counters, router }: Pick<IngestAuthorizerOptions, 'rateLimiter' | 'counters' | 'router'>,
): TailraceError | undefined {
  if (logSource && !rateLimiter.disabled && !rateLimiter.allowsRequest(logSource)) {
    const lines = declaredLines(msgCount);
    counters.limited += lines;
    rateLimiter.countLimited(logSource.app, lines);
    return new TailraceError(
      'rate_limited',
      'This source or its app has sent more than it may: try again in a moment.',
    );
  }
  if (!router.congested) return undefined;
  return new TailraceError('unavailable', 'Too much waits to be stored: try again in a moment.');
}

/** A parameter of the query; of several with this name the first one. */
export function queryText(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Readonly<Record<string, string | string[] | undefined>>)[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Lines of a request that isn't read, by its own count: at least one. */
function declaredLines(header: string | string[] | undefined): number {
  const count = parseCount(header) ?? 1;
  return count >= 1 && count < 1_000_000 ? count : 1;
}
