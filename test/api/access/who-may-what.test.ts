/** Who may do what at every route: callers that may do little, at an app of theirs and at one of others; and that nobody gets more than they have. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, type Server, startServer } from '../../support/server.ts';

const PASSWORD = 'correct horse battery';

let server: Server;
let shop: App;
let blog: App;
beforeAll(async () => {
  server = await startServer();
  shop = await server.createApp('shop');
  blog = await server.createApp('blog');
});
afterAll(() => server.close());

interface Answer {
  readonly status: number;
  readonly text: string;
}
interface Key {
  readonly id: string;
  readonly access_token: { readonly token: string };
}

async function ask(authorization: string, request: string, body?: unknown): Promise<Answer> {
  const [method, path] = request.split(' ');
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization, ...(body !== undefined && { 'content-type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
    redirect: 'manual',
  });
  return { status: response.status, text: await response.text() };
}
const statusOf = async (...args: Parameters<typeof ask>): Promise<number> => (await ask(...args)).status;

async function join(email: string, role: string, app?: string): Promise<string> {
  const body = { email, role, app };
  const { invitation_url: url } = await server.request<{ invitation_url: string }>('POST', '/people', body);
  await accept(url, email);
  return basic(email);
}

async function accept(url: string, email: string): Promise<number> {
  const [, token] = url.split('#invite=');
  const response = await fetch(`${server.url}/invitations/accept`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, email, password: PASSWORD }),
  });
  return response.status;
}

const basic = (email: string): string => `Basic ${Buffer.from(`${email}:${PASSWORD}`).toString('base64')}`;

async function makeKey(
  by: string,
  body: object = {},
): Promise<{ readonly id: string; readonly bearer: string }> {
  const answer = await ask(by, 'POST /oauth/authorizations', body);
  expect(answer).toMatchObject({ status: 201 });
  const { id, access_token: made }: Key = JSON.parse(answer.text);
  return { id, bearer: `Bearer ${made.token}` };
}

describe('with a key', () => {
  let owner: string;
  let admin: string;
  let member: string;
  let viewer: string;
  beforeAll(async () => {
    owner = (await makeKey(await join('owner@example.com', 'owner'))).bearer;
    admin = (await makeKey(await join('admin@example.com', 'admin'))).bearer;
    member = (await makeKey(await join('member@example.com', 'member'))).bearer;
    viewer = (await makeKey(await join('viewer@example.com', 'viewer'))).bearer;
  });

  it('that a person made for less nobody makes one for more', async () => {
    const reader = await makeKey(owner, { scope: ['logs:read'], apps: ['shop'] });
    const writer = await makeKey(owner, { scope: ['write'] });
    const ofShop = await makeKey(owner, { apps: ['shop'] });
    for (const { bearer } of [reader, ofShop])
      expect((await ask(bearer, 'POST /oauth/authorizations', {})).text).toContain('may not make others');
    const refused = await ask(writer.bearer, 'POST /oauth/authorizations', { scope: ['global'] });
    expect(refused).toMatchObject({ status: 403, text: expect.stringContaining('read') });
    // Left out it is made for what the other one was.
    const next = await makeKey(writer.bearer);
    expect(await statusOf(next.bearer, 'GET /apps/shop/config-vars')).toBe(403);
    expect(await statusOf(next.bearer, 'GET /people')).toBe(403);
    // Nor with the session that remembers it.
    const session = await fetch(`${server.url}/session`, {
      method: 'POST',
      headers: { authorization: reader.bearer },
    });
    const { csrf } = (await session.json()) as { csrf: string };
    const made = await fetch(`${server.url}/oauth/authorizations`, {
      method: 'POST',
      headers: { cookie: session.headers.get('set-cookie')?.split(';')[0] ?? '', 'x-csrf-token': csrf },
    });
    expect(made.status).toBe(403);
  });

  it('nobody sees, replaces or revokes the keys of others; an admin revokes them, but for those of owners', async () => {
    const ofOwner = await makeKey(owner);
    const ofAdmin = await makeKey(admin, { scope: ['read', 'read-protected', 'write', 'ingest'] });
    const ofMember = await makeKey(member);
    const machine = (
      await server.request<(Key & { current: boolean })[]>('GET', '/oauth/authorizations')
    ).find(({ current }) => current);
    const path = ({ id }: { id: string }): string => `/oauth/authorizations/${id}`;
    const replace = ({ id }: { id: string }): string => `POST ${path({ id })}/actions/regenerate-tokens`;
    for (const key of [ofOwner, ofAdmin, { id: machine?.id ?? '' }])
      for (const request of [`GET ${path(key)}`, `DELETE ${path(key)}`, replace(key)])
        expect([request, await statusOf(member, request)]).toEqual([request, 404]);
    const { text } = await ask(member, 'GET /oauth/authorizations');
    expect(text).toContain(ofMember.id);
    expect(text).not.toContain(ofAdmin.id);
    for (const key of [ofOwner, ofMember, { id: machine?.id ?? '' }])
      expect(await statusOf(admin, replace(key))).toBe(403);
    expect(await statusOf(`Bearer ${server.key}`, replace(ofMember))).toBe(403);
    expect(await statusOf(admin, `DELETE ${path(ofOwner)}`)).toBe(403);
    expect(await statusOf(admin, `DELETE ${path(ofMember)}`)).toBe(200);
    expect(await statusOf(owner, `DELETE ${path(ofAdmin)}`)).toBe(200);
    expect(await statusOf(ofMember.bearer, 'GET /account')).toBe(401);
  });

  it('a person of whatever role sees and revokes their own', async () => {
    const ofShop = await join('shop-viewer@example.com', 'viewer', 'shop');
    for (const person of [viewer, ofShop]) {
      const own = await makeKey(person);
      expect((await ask(person, 'GET /oauth/authorizations')).text).toContain(own.id);
      expect(await statusOf(own.bearer, `DELETE /oauth/authorizations/${own.id}`)).toBe(200);
      expect(await statusOf(own.bearer, 'GET /account')).toBe(401);
    }
  });

  it('scopes have names of their own', async () => {
    for (const word of ['constructor', '__proto__', 'toString'])
      expect(
        await ask(`Bearer ${server.key}`, 'POST /oauth/authorizations', { scope: [word] }),
      ).toMatchObject({
        status: 422,
        text: expect.stringContaining('There is no scope'),
      });
  });
});
