/** Who makes a request, and what they may do. */

import type { FastifyReply, FastifyRequest } from 'fastify';
import { TailraceError } from '../../../src/common/errors.ts';
import { readAuthorization } from '../../../src/common/http/authorization.ts';
import { AttemptLimits } from '../../../src/logs/access/attempt-limits.ts';
import {
  cookieValue,
  csrfToken,
  requireOwnOrigin,
  requireOwnPage,
  sessionCookie,
} from '../../../src/logs/access/browser-requests.ts';
import { hashOfSecret } from '../../../src/logs/access/secrets.ts';
import { Sessions } from '../../../src/logs/access/sessions.ts';
import { Users } from '../../../src/logs/access/users.ts';
import type { Store } from '../../../src/logs/store/contract.ts';
import { ACCESS_SCOPE, ROLE_OF_SCOPE, type ViewerUser } from './access-records.ts';
import { Grant, type Role } from './grant.ts';
import { ViewerKeys } from './keys.ts';

const COOKIE = 'viewer_session';
const SAFE_METHODS: readonly string[] = ['GET', 'HEAD'];
const CLEANING_MS = 6 * 3_600_000;

export interface AccessOptions {
  readonly records: Store;
  /** A key that may do everything; '' for none. */
  readonly apiKey: string;
  /** Where browsers reach the viewer; '' when that isn't set. */
  readonly publicUrl: string;
}

/** Of a request, what says who makes it. */
export type RequestHead = Pick<FastifyRequest, 'headers' | 'method'>;

export class Access {
  readonly users: Users<Role>;
  readonly sessions: Sessions;
  readonly keys: ViewerKeys;
  readonly attempts = new AttemptLimits();
  private readonly options: AccessOptions;
  private readonly cleaning: NodeJS.Timeout;

  constructor(options: AccessOptions) {
    const { records, apiKey } = options;
    this.options = options;
    this.users = new Users(records, ACCESS_SCOPE);
    this.sessions = new Sessions(records, ACCESS_SCOPE);
    this.keys = new ViewerKeys(records, apiKey);
    const clean = (): void => void this.sessions.removeExpired().catch(() => undefined);
    this.cleaning = setInterval(clean, CLEANING_MS).unref();
    clean();
  }

  /**
   * Who makes a request: an API key (Bearer, or the password of Basic), or a browser's session. What changes something, in a session,
   * has to come from the viewer's own page.
   * @throws TailraceError `unauthorized`, `forbidden`
   */
  async authenticate(request: RequestHead): Promise<Grant> {
    const { authorization } = request.headers;
    if (authorization !== undefined) {
      const credentials = readAuthorization(authorization);
      const grant =
        credentials.kind === 'key' ? await this.grantOfKey(hashOfSecret(credentials.key)) : undefined;
      if (grant) return grant;
      throw new TailraceError(
        'unauthorized',
        "This API key isn't valid: show another as `Authorization: Bearer …`.",
      );
    }
    const secret = cookieValue(request.headers, COOKIE);
    const grant = secret === undefined ? undefined : await this.grantOfSession(hashOfSecret(secret));
    if (secret === undefined || !grant)
      throw new TailraceError('unauthorized', 'Sign in, or show an API key as `Authorization: Bearer …`.');
    if (!SAFE_METHODS.includes(request.method))
      requireOwnPage(request.headers, secret, this.options.publicUrl);
    return grant;
  }

  /** What is granted now to whom something was granted before; undefined: nothing any more. */
  async renew({ identity }: Grant): Promise<Grant | undefined> {
    if (identity.kind === 'user') return this.grantOfSession(identity.session);
    return identity.hash === undefined ? new Grant(identity, 'owner') : this.grantOfKey(identity.hash);
  }

  /** Calls `listener` after something was changed that grants depend on, until the returned function is called. */
  onChange(listener: () => void): () => void {
    return this.options.records.watchRecords((scope) => {
      if (scope === ACCESS_SCOPE || scope === '') listener();
    });
  }

  /** May senders show this key, and write lines to any stream? */
  async mayIngest(key: string): Promise<boolean> {
    const grant = await this.grantOfKey(hashOfSecret(key));
    return grant?.role !== undefined && grant.role !== 'reader';
  }

  /** Signs a browser in. */
  async startSession(user: ViewerUser, request: FastifyRequest, reply: FastifyReply): Promise<string> {
    const secret = await this.sessions.start(user);
    reply.header('Set-Cookie', this.cookie(request, secret));
    return csrfToken(secret);
  }

  /** Ends the browser's session, if there is one, and takes its cookie away. */
  async endSession(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const secret = cookieValue(request.headers, COOKIE);
    if (secret !== undefined) await this.sessions.end(hashOfSecret(secret));
    reply.header('Set-Cookie', this.cookie(request, ''));
  }

  /** What the page has to send as `X-CSRF-Token`; '' without a session. */
  csrfFor(request: RequestHead): string {
    const secret = cookieValue(request.headers, COOKIE);
    return secret === undefined ? '' : csrfToken(secret);
  }

  /** @throws TailraceError `forbidden` for a request that another site's page makes */
  requireOwnOrigin({ headers }: RequestHead): void {
    requireOwnOrigin(headers, this.options.publicUrl);
  }

  close(): void {
    clearInterval(this.cleaning);
  }

  private async grantOfSession(hash: string): Promise<Grant | undefined> {
    const session = await this.sessions.find(hash);
    const user = session && (await this.users.find(session.user));
    if (!user || user.passwordVersion !== session.passwordVersion) return undefined;
    return new Grant({ kind: 'user', id: user.id, email: user.email, session: hash }, user.role, user.groups);
  }

  private async grantOfKey(hash: string): Promise<Grant | undefined> {
    if (this.keys.isFixed(hash))
      return new Grant({ kind: 'key', name: 'VIEWER_API_KEY', hash: undefined }, 'owner');
    const key = await this.keys.find(hash);
    if (!key) return undefined;
    const role = ROLE_OF_SCOPE[key.scope];
    const identity = { kind: 'key', name: key.name, hash } as const;
    if (!key.groups) return new Grant(identity, role);
    return new Grant(identity, undefined, Object.fromEntries(key.groups.map((group) => [group, role])));
  }

  private cookie(request: FastifyRequest, secret: string): string {
    const isSecure = request.protocol === 'https' || this.options.publicUrl.startsWith('https:');
    return sessionCookie(COOKIE, secret, isSecure);
  }
}
