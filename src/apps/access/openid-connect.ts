/**
 * Signing in with an identity provider: OpenID Connect, the authorization code flow with PKCE (OpenID Connect Core 1.0 section 3.1, RFC 7636).
 * What a provider says of somebody is taken only with a verified e-mail address.
 */
import type * as OpenIdClient from 'openid-client';
import { reasonOf, TailraceError } from '../../common/errors.ts';
import { isLoopbackHost } from '../../common/http/addresses.ts';
import type { Identity } from '../../logs/access/people-records.ts';

export interface OpenIdSettings {
  /** The provider's address: `https://login.example.com/realms/team`. */
  readonly issuer: string;
  readonly clientId: string;
  /** '' for a public client. */
  readonly clientSecret: string;
  /** What the page calls it; '' for the issuer's host name. */
  readonly name: string;
  /** Is an address taken that the provider doesn't say it has verified? */
  readonly trustsAddresses: boolean;
}

/** What has to be known again when the browser comes back. */
export interface OpenIdChecks {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

export interface OpenIdPerson {
  readonly identity: Identity;
  readonly email: string;
}

const SCOPE = 'openid email';
/** A provider that doesn't answer must not keep a browser waiting for longer. */
const TIMEOUT_S = 10;

export class OpenIdConnect {
  readonly name: string;
  private readonly settings: OpenIdSettings;
  private configuration: Promise<OpenIdClient.Configuration> | undefined;

  /** @throws TailraceError `settings` when they can't be right */
  constructor(settings: OpenIdSettings) {
    this.settings = settings;
    const { issuer, clientId, name } = settings;
    if (clientId === '')
      throw new TailraceError(
        'settings',
        "TAILRACE_OIDC_ISSUER is set, but TAILRACE_OIDC_CLIENT_ID isn't: register this server with the provider, and set the id that it gives.",
      );
    const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
    const isPrivate =
      url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname));
    if (!url || !isPrivate || url.search || url.hash || url.username)
      throw new TailraceError(
        'settings',
        `TAILRACE_OIDC_ISSUER is "${issuer}": it must be the provider's address as its users know it, such as https://login.example.com/realms/team.`,
      );
    const { hostname } = url;
    this.name = name || hostname;
  }

  /**
   * Where to send a browser that wants to sign in, and what to check when it comes back to `redirectUri`.
   * @throws TailraceError `unavailable` when the provider can't be asked
   */
  async begin(redirectUri: string): Promise<{ readonly url: string; readonly checks: OpenIdChecks }> {
    const client = await import('openid-client');
    const configuration = await this.configured();
    const checks: OpenIdChecks = {
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier: client.randomPKCECodeVerifier(),
    };
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: SCOPE,
      state: checks.state,
      nonce: checks.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(checks.verifier),
      code_challenge_method: 'S256',
    });
    return { url: url.href, checks };
  }

  /**
   * Who has come back.
   * @param url with which the browser came, as the provider made it from the redirect URI
   * @throws TailraceError `unauthorized` for whom the provider doesn't vouch; `unavailable` when it can't be asked
   */
  async finish(url: URL, { state, nonce, verifier }: OpenIdChecks): Promise<OpenIdPerson> {
    const client = await import('openid-client');
    const configuration = await this.configured();
    const tokens = await client
      .authorizationCodeGrant(configuration, url, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      })
      .catch((error: unknown) => {
        throw new TailraceError('unauthorized', `${this.name} doesn't confirm it: ${reasonOf(error)}.`, {
          cause: error,
        });
      });
    const claims = tokens.claims();
    if (!claims) throw new TailraceError('unauthorized', `${this.name} doesn't say who that is.`);
    let { email, email_verified: isVerified } = claims;
    if (email === undefined) {
      // Some give the address only when they are asked for it.
      ({ email, email_verified: isVerified } = await client
        .fetchUserInfo(configuration, tokens.access_token, claims.sub)
        .catch((error: unknown) => {
          throw new TailraceError('unauthorized', `${this.name} gives no address: ${reasonOf(error)}.`);
        }));
    }
    const isTrusted = isVerified === true || (isVerified !== false && this.settings.trustsAddresses);
    if (typeof email !== 'string' || !isTrusted)
      throw new TailraceError(
        'unauthorized',
        `${this.name} gives no e-mail address that it has verified (claims \`email\` and \`email_verified\`).`,
      );
    return { email, identity: { issuer: claims.iss, subject: claims.sub } };
  }

  /** The provider's description, asked for once; again, when it could not be had. */
  private configured(): Promise<OpenIdClient.Configuration> {
    this.configuration ??= this.discover().catch((error: unknown) => {
      this.configuration = undefined;
      throw new TailraceError(
        'unavailable',
        `The identity provider ${this.name} can't be asked: ${reasonOf(error)}.`,
        { cause: error },
      );
    });
    return this.configuration;
  }

  private async discover(): Promise<OpenIdClient.Configuration> {
    const client = await import('openid-client');
    const { issuer, clientId, clientSecret } = this.settings;
    const url = new URL(issuer);
    return client.discovery(
      url,
      clientId,
      undefined,
      clientSecret === '' ? client.None() : client.ClientSecretPost(clientSecret),
      {
        timeout: TIMEOUT_S,
        execute: url.protocol === 'http:' ? [client.allowInsecureRequests] : [],
      },
    );
  }
}
