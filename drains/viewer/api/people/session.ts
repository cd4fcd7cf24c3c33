/** Signing in and out: these routes need no session. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TailraceError } from '../../../../src/common/errors.ts';
import type { ViewerUser } from '../../access/access-records.ts';
import type { Grant } from '../../access/grant.ts';
import type { ViewerParts } from '../../parts.ts';
import { readBody } from '../body.ts';

export function registerSessionRoutes(server: FastifyInstance, { access, log }: ViewerParts): void {
  const { users, attempts } = access;

  server.get('/api/session', async (request, reply) => {
    let grant: Grant;
    try {
      grant = await access.authenticate(request);
    } catch (error) {
      if (!(error instanceof TailraceError)) throw error;
      const firstRun = (await users.firstRun()) !== undefined;
      return reply
        .code(error.status)
        .send({ id: error.code, message: error.message, ...(firstRun && { firstRun }) });
    }
    return sessionView(grant, access.csrfFor(request));
  });

  server.post('/api/session', async (request, reply) => {
    access.requireOwnOrigin(request);
    const { email, password } = readBody(request, { email: 'string', password: 'string' });
    const wasRight = attempts.begin(request.ip, email);
    const user = await users.withPassword(email, password);
    if (!user) {
      log.warn({ address: request.ip }, 'somebody tried to sign in, and could not');
      throw new TailraceError('unauthorized', "The address or the password isn't right.");
    }
    wasRight();
    return signIn(user, request, reply);
  });

  server.delete('/api/session', async (request, reply) => {
    await access.authenticate(request);
    await access.endSession(request, reply);
    return reply.code(204).send();
  });

  server.post('/api/first-run', async (request, reply) => {
    access.requireOwnOrigin(request);
    const body = readBody(request, { token: 'string', email: 'string', password: 'string' });
    const wasRight = attempts.begin(request.ip, undefined);
    const user = await users.createFirst(body.token, body.email, body.password);
    wasRight();
    return signIn(user, request, reply.code(201));
  });

  server.post('/api/invites/accept', async (request, reply) => {
    access.requireOwnOrigin(request);
    const body = readBody(request, { token: 'string', email: 'string', password: 'string' });
    const wasRight = attempts.begin(request.ip, undefined);
    const user = await users.accept(body.token, body.email, body.password);
    wasRight();
    return signIn(user, request, reply.code(201));
  });

  /** Changes one's own password: all sessions are over, and this browser gets a new one. */
  server.post('/api/password', async (request, reply) => {
    const { identity } = await access.authenticate(request);
    if (identity.kind !== 'user') throw new TailraceError('forbidden', 'An API key has no password.');
    const { current, password } = readBody(request, { current: 'string', password: 'string' });
    const wasRight = attempts.begin(request.ip, identity.email);
    const user = await users.changePassword(identity.id, current, password);
    wasRight();
    return signIn(user, request, reply);
  });

  async function signIn(user: ViewerUser, request: FastifyRequest, reply: FastifyReply): Promise<object> {
    const csrf = await access.startSession(user, request, reply);
    return {
      user: { id: user.id, email: user.email, role: user.role ?? null, groups: user.groups },
      csrf,
    };
  }
}

function sessionView({ identity, role, groups }: Grant, csrf: string): object {
  if (identity.kind === 'user')
    return { user: { id: identity.id, email: identity.email, role: role ?? null, groups }, csrf };
  return { user: { email: '', role: role ?? null, groups }, csrf: '', external: true };
}
