import type { FastifyReply, FastifyRequest } from 'fastify';
import { readAuthorization } from '../../../common/authorization.ts';
import { TailraceError } from '../../../common/errors.ts';
import type { Limits } from '../../router/limits.ts';
import type { Router } from '../../router/router.ts';
import type { Tenant } from '../../router/tenants.ts';
import type { SourceCounters } from '../counters.ts';

/** Who pushes lines over HTTP. */
export interface HttpSender {
  /** Whose all the lines are; undefined when every line names its own token. */
  readonly tenant: Tenant | undefined;
}

export interface HttpSendersOptions {
  readonly router: Router;
  readonly limits: Limits;
  /** May this API key write lines to any app? */
  readonly mayWrite: (key: string) => Promise<boolean>;
  readonly counters: SourceCounters;
}

/** Decides who may push, and whether now. */
export class HttpSenders {
  private readonly options: HttpSendersOptions;

  constructor(options: HttpSendersOptions) {
    this.options = options;
  }

  /** @throws TailraceError `unauthorized` */
  async authorise(request: FastifyRequest, reply: FastifyReply): Promise<HttpSender> {
    const shown = readAuthorization(request.headers.authorization);
    if (shown.kind === 'token') {
      const tenant = await this.tenantOf(shown.token);
      if (tenant) return { tenant };
      this.options.counters.unknownToken++;
    } else if (shown.kind === 'key' && (await this.options.mayWrite(shown.key))) {
      const { token } = request.query as { token?: string };
      if (!token) return { tenant: undefined };
      const tenant = await this.tenantOf(token);
      if (tenant) return { tenant };
    }
    reply.header('WWW-Authenticate', 'Basic realm="Logplex"');
    throw new TailraceError(
      'unauthorized',
      'Unauthorized: show a source token (Basic, user `token`, password `t.…`) or an API key that may write.',
    );
  }

  /** The same, for forms whose lines name no token. */
  async authoriseOne(request: FastifyRequest, reply: FastifyReply, what: string): Promise<Tenant> {
    const { tenant } = await this.authorise(request, reply);
    if (tenant) return tenant;
    throw new TailraceError(
      'bad_request',
      `${what} needs a source token: add ?token=t.… or authenticate with it.`,
    );
  }

  /** @throws TailraceError `rate_limited` when the sender has sent too much, `unavailable` when all have. */
  admit(request: FastifyRequest, { tenant }: HttpSender): void {
    const refusal = turnedAway(tenant, request.headers['logplex-msg-count'], this.options);
    if (refusal) throw refusal;
  }

  private async tenantOf(token: string): Promise<Tenant | null> {
    const { router } = this.options;
    const known = router.findTenant(token);
    return known === undefined ? router.loadTenant(token) : known; // null: known to be unknown
  }
}

/**
 * Why a request is turned away before its lines are looked at: `rate_limited` when the sender has sent too much, `unavailable`
 * when all have. `claimed` is its `Logplex-Msg-Count`.
 */
export function turnedAway(
  tenant: Tenant | undefined,
  claimed: string | string[] | undefined,
  { limits, counters, router }: Pick<HttpSendersOptions, 'limits' | 'counters' | 'router'>,
): TailraceError | undefined {
  if (tenant && !limits.off && !limits.isOpen(tenant)) {
    const refused = linesClaimed(claimed);
    counters.limited += refused;
    limits.refuse(tenant.app, refused);
    return new TailraceError(
      'rate_limited',
      'This source or its app has sent more than it may: try again in a moment.',
    );
  }
  if (!router.congested) return undefined;
  return new TailraceError('unavailable', 'Too much waits to be stored: try again in a moment.');
}

/** Lines of a request that isn't read, as far as it says: at least one. */
function linesClaimed(header: string | string[] | undefined): number {
  const claimed = Number(header);
  return claimed >= 1 && claimed < 1_000_000 ? Math.floor(claimed) : 1;
}
