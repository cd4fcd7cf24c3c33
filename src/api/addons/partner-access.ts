/** Partners at the API: with the token of one add-on, for that add-on alone. */
import type { FastifyRequest } from 'fastify';
import { isPartnerToken, type PartnerTokens } from '../../apps/host/addons/partner/partner-tokens.ts';
import { TailraceError } from '../../common/errors.ts';
import { readAuthorization } from '../../common/http/authorization.ts';
import { type AuthorizeDependencies, authorize } from '../access/authorize.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** May partners use the route, for the add-on that its path names? */
    partner?: boolean;
  }
  interface FastifyRequest {
    /** Id of the add-on whose partner this is; undefined: whoever has an API key. */
    partnerAddon?: string;
  }
}

/** Options of a route that partners may use. */
export const PARTNER_ROUTE = { config: { partner: true } } as const;

/**
 * Checks the key or the partner's token of a request.
 * @throws TailraceError `unauthorized`, `forbidden`
 */
export async function authorizeKeyOrPartner(
  request: FastifyRequest<{ Params?: unknown }>,
  dependencies: AuthorizeDependencies,
  tokens: PartnerTokens,
): Promise<void> {
  const credentials = readAuthorization(request.headers.authorization);
  if (credentials.kind !== 'key' || !isPartnerToken(credentials.key)) return authorize(request, dependencies);
  const addon = await tokens.addonOfToken(credentials.key);
  if (addon === undefined)
    throw new TailraceError(
      'unauthorized',
      'This token is not good: it is older than eight hours, or its add-on is gone. Get another one with the refresh token (POST /oauth/token).',
    );
  const { addon: named } = request.params as { addon?: string };
  if (!request.routeOptions.config.partner || named !== addon)
    throw new TailraceError(
      'forbidden',
      `This token is for /addons/${addon} alone, and what a partner does there.`,
    );
  request.partnerAddon = addon;
}
