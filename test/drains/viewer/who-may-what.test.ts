/** Every route of the viewer's API, asked by everybody: who may what, and what nobody else learns. A route that isn't in the table fails. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pushLines } from '../../support/senders/send-lines.ts';
import { temporaryFolder } from '../../support/server.ts';
import { startViewer, type Viewer, type ViewerGroup } from '../../support/viewer/viewer.ts';

const API = join(import.meta.dirname, '..', '..', '..', 'drains', 'viewer', 'api');
const ROLES = ['none', 'reader', 'member', 'owner'] as const;
type Role = (typeof ROLES)[number];

/** In the group that is asked for, and in all. */
interface Who {
  readonly inGroup: Role;
  readonly inAll: Role;
}
const PEOPLE: Readonly<Record<string, Who>> = {
  nobody: { inGroup: 'none', inAll: 'none' },
  'an owner of another group': { inGroup: 'none', inAll: 'none' },
  'a reader': { inGroup: 'reader', inAll: 'none' },
  'a member': { inGroup: 'member', inAll: 'none' },
  'an owner of the group': { inGroup: 'owner', inAll: 'none' },
  'a reader of all': { inGroup: 'reader', inAll: 'reader' },
  'a member of all': { inGroup: 'member', inAll: 'member' },
  'an owner of all': { inGroup: 'owner', inAll: 'owner' },
};

/** `list`: whoever is known, of what they may read; `hidden`: who may not has it not found. */
type Need = 'list' | `group ${Exclude<Role, 'none'>}` | 'all owner' | 'hidden owner';
interface Row {
  readonly route: string;
  readonly need: Need;
  /** Of whoever may (default 200). */
  readonly status?: number;
  readonly query?: string;
  readonly body?: () => object | Promise<object>;
  /** Makes what the request is about. */
  readonly make?: () => Promise<Readonly<Record<string, string>>>;
}

let viewer: Viewer;
let group: ViewerGroup;
let ids: Record<string, string>;
const keys: Record<string, string> = {};
let made = 0;
const fresh = (): string => `made ${++made}`;
const create = async (path: string, body: object): Promise<Record<string, string>> =>
  viewer.request('POST', path, body);
const makeIn = (path: string, name: string, body: () => object) => async () => ({
  [name]: (await create(path.replace(':group', group.id), body())).id,
});
const makeStream = makeIn('/api/groups/:group/streams', 'stream', () => ({ name: fresh() }));
const makeSearch = makeIn('/api/searches', 'search', () => ({ name: fresh(), group: group.id, q: 'a' }));
const alertBody = () => ({
  search: ids.search,
  name: fresh(),
  condition: { kind: 'at-least', count: 9, minutes: 1 },
});
const makeAlert = makeIn('/api/alerts', 'alert', alertBody);
const makeInvite = makeIn('/api/invites', 'invite', () => ({ groups: { [group.id]: 'reader' } }));
const makeKey = makeIn('/api/keys', 'key', () => ({ name: fresh(), groups: [group.id] }));
const makeGroup = makeIn('/api/groups', 'group', () => ({ name: fresh() }));
const makeUpload = async () => {
  const upload = `upload-${++made}`;
  await viewer.request('PUT', `/api/streams/${ids.stream}/uploads/${upload}?offset=0`, { message: 'x' });
  return { upload };
};
const inGroup = () => `group=${group.id}`;

/** What can't be undone comes to what was made for it. */
const TABLE: readonly Row[] = [
  { route: 'GET /api/groups', need: 'list' },
  { route: 'POST /api/groups', need: 'all owner', body: () => ({ name: fresh() }), status: 201 },
  { route: 'GET /api/groups/:group', need: 'group reader' },
  { route: 'PATCH /api/groups/:group', need: 'group owner', body: () => ({}) },
  { route: 'DELETE /api/groups/:group', need: 'all owner', make: makeGroup, status: 204 },
  {
    route: 'POST /api/groups/:group/streams',
    need: 'group owner',
    body: () => ({ name: fresh() }),
    status: 201,
  },
  { route: 'GET /api/groups/:group/retention', need: 'group reader' },
  { route: 'PUT /api/groups/:group/retention', need: 'group owner', body: () => ({ keep: '9d' }) },
  { route: 'GET /api/streams/:stream', need: 'group reader' },
  { route: 'PATCH /api/streams/:stream', need: 'group owner', body: () => ({}) },
  { route: 'DELETE /api/streams/:stream', need: 'group owner', make: makeStream, status: 204 },
  {
    route: 'POST /api/deletions',
    need: 'group owner',
    body: () => ({ group: group.id, q: 'nothing', dry_run: true }),
  },
  { route: 'POST /api/backups', need: 'all owner', body: () => ({}) },
  { route: 'GET /api/streams/:stream/lines/:position/context', need: 'group reader' },
  {
    route: 'PUT /api/streams/:stream/uploads/:upload',
    need: 'group owner',
    body: () => ({ message: 'x' }),
    query: 'offset=0',
  },
  {
    route: 'POST /api/streams/:stream/import',
    need: 'group owner',
    make: makeUpload,
    body: () => ({ upload: `upload-${made}`, format: 'text' }),
  },
  ...['search', 'counts', 'fields', 'download', 'tail'].flatMap((name): Row[] => [
    { route: `GET /api/${name}`, need: 'list' },
    { route: `GET /api/${name}`, need: 'group reader', query: 'GROUP' },
    { route: `GET /api/${name}`, need: 'group reader', query: 'STREAM' },
  ]),
  { route: 'GET /api/values', need: 'list', query: 'field=level' },
  { route: 'GET /api/values', need: 'group reader', query: 'field=level&GROUP' },
  { route: 'GET /api/values', need: 'group reader', query: 'field=level&STREAM' },
  { route: 'GET /api/archives', need: 'list' },
  { route: 'POST /api/archives/run', need: 'all owner' },
  { route: 'GET /api/archives/search', need: 'list' },
  { route: 'GET /api/archives/search', need: 'group reader', query: 'GROUP' },
  { route: 'GET /api/archives/search', need: 'group reader', query: 'STREAM' },
  { route: 'GET /api/archives/export', need: 'list' },
  { route: 'GET /api/archives/export', need: 'group reader', query: 'GROUP' },
  { route: 'GET /api/archives/export', need: 'group reader', query: 'STREAM' },
  // A file that somebody has put there: nobody knows whose lines are in it.
  { route: 'GET /api/archives/*', need: 'hidden owner' },
  {
    route: 'POST /api/archives/import',
    need: 'hidden owner',
    body: () => ({ name: 'foreign.log', stream: ids.stream }),
  },
  { route: 'GET /api/searches', need: 'list' },
  { route: 'GET /api/searches/:search', need: 'group reader' },
  {
    route: 'POST /api/searches',
    need: 'group member',
    body: () => ({ name: fresh(), group: group.id, q: 'a' }),
    status: 201,
  },
  { route: 'PATCH /api/searches/:search', need: 'group member', body: () => ({ q: 'b' }) },
  { route: 'DELETE /api/searches/:search', need: 'group member', make: makeSearch, status: 204 },
  { route: 'GET /api/alerts', need: 'list' },
  { route: 'GET /api/alerts/:alert', need: 'group reader' },
  { route: 'POST /api/alerts', need: 'group member', body: alertBody, status: 201 },
  { route: 'PATCH /api/alerts/:alert', need: 'group member', body: () => ({ cooldown_minutes: 5 }) },
  { route: 'DELETE /api/alerts/:alert', need: 'group member', make: makeAlert, status: 204 },
  // It has no destinations.
  { route: 'POST /api/alerts/:alert/test', need: 'group member', status: 422 },
  { route: 'GET /api/alert-events', need: 'list' },
  { route: 'GET /api/users', need: 'all owner' },
  // Nobody was there yet: that isn't for others to know.
  { route: 'PATCH /api/users/:user', need: 'all owner', body: () => ({ role: 'reader' }), status: 404 },
  { route: 'DELETE /api/users/:user', need: 'all owner', status: 404 },
  { route: 'GET /api/invites', need: 'list' },
  {
    route: 'POST /api/invites',
    need: 'group owner',
    body: () => ({ groups: { [group.id]: 'reader' } }),
    status: 201,
  },
  { route: 'POST /api/invites', need: 'all owner', body: () => ({ role: 'reader' }), status: 201 },
  { route: 'GET /api/keys', need: 'list' },
  {
    route: 'POST /api/keys',
    need: 'group owner',
    body: () => ({ name: 'k', groups: [group.id] }),
    status: 201,
  },
  { route: 'POST /api/keys', need: 'all owner', body: () => ({ name: 'k' }), status: 201 },
  { route: 'GET /api/status', need: 'all owner' },
  { route: 'GET /metrics', need: 'all owner' },
];
/** Invitations and keys of the group: whoever may not give them doesn't find them. */
const OWNERS_ONLY: readonly Row[] = [
  { route: 'DELETE /api/invites/:invite', need: 'group owner', make: makeInvite, status: 204 },
  { route: 'DELETE /api/keys/:key', need: 'group owner', make: makeKey, status: 204 },
];
/** These are how one becomes known; another test has them. */
const OPEN = [
  'GET /api/session',
  'POST /api/session',
  'DELETE /api/session',
  'POST /api/first-run',
  'POST /api/invites/accept',
  'POST /api/password',
];

beforeAll(async () => {
  const archive = temporaryFolder();
  mkdirSync(archive, { recursive: true });
  writeFileSync(
    join(archive, 'foreign.log'),
    '2026-01-31T12:00:00.000000+00:00 app[web.1]: from elsewhere\n',
  );
  viewer = await startViewer({ env: { VIEWER_ARCHIVE: archive } });
  group = await viewer.createGroup('secret group');
  const other = await viewer.createGroup('another');
  const stream = await viewer.createStream(group, 'secret stream');
  await pushLines(viewer, stream.token, ['a secret line']);
  ids = { group: group.id, stream: stream.id, position: '1', user: 'x', upload: 'upload-0' };
  Object.assign(ids, await makeSearch());
  Object.assign(ids, await makeAlert());
  const scopes: Readonly<Record<Role, string>> = {
    none: '',
    reader: 'read',
    member: 'write',
    owner: 'admin',
  };
  for (const [name, who] of Object.entries(PEOPLE)) {
    if (name === 'nobody') continue;
    const isOther = who.inGroup === 'none';
    const groups = who.inAll === 'none' ? [isOther ? other.id : group.id] : undefined;
    const scope = isOther ? 'admin' : scopes[who.inGroup];
    keys[name] = (await create('/api/keys', { name, scope, ...(groups && { groups }) })).key;
  }
});
afterAll(async () => {
  await viewer?.kill();
  rmSync(viewer.data, { recursive: true, force: true });
});

function may({ inGroup, inAll }: Who, need: Need): boolean {
  if (need === 'list') return true;
  const [scope, role] = need.split(' ') as [string, Role];
  return ROLES.indexOf(scope === 'group' ? inGroup : inAll) >= ROLES.indexOf(role);
}

function wanted(name: string, { need, status = 200 }: Row, hides: boolean): number {
  const who = PEOPLE[name];
  if (name === 'nobody') return 401;
  if (may(who, need)) return status;
  if (hides || need === 'hidden owner') return 404;
  return need.startsWith('group') && who.inGroup === 'none' ? 404 : 403;
}

/** @returns the status, and the text of what has an end */
async function ask(name: string, row: Row): Promise<readonly [number, string]> {
  const [method, template] = row.route.split(' ');
  const own = { ...ids, ...(await row.make?.()) };
  const path = template
    .replace('*', 'foreign.log')
    .replace(/:(\w+)/g, (_, parameter: string) => own[parameter]);
  const query = row.query?.replace('GROUP', inGroup()).replace('STREAM', `stream=${ids.stream}`);
  const headers: Record<string, string> = keys[name] ? { authorization: `Bearer ${keys[name]}` } : {};
  const address = query === undefined ? path : `${path}?${query}`;
  const response = await viewer.fetch(method, address, await row.body?.(), headers);
  if (template === '/api/tail' && response.ok) {
    await response.body?.cancel();
    return [response.status, ''];
  }
  return [response.status, await response.text()];
}

describe.each(Object.keys(PEOPLE))('%s', (name) => {
  it('may what the table says, and learns of nothing else', async () => {
    const rows = [
      ...TABLE.map((row) => [row, false] as const),
      ...OWNERS_ONLY.map((row) => [row, true] as const),
    ];
    const differences: unknown[] = [];
    for (const [row, hides] of rows) {
      const [status, text] = await ask(name, row);
      const expected = wanted(name, row, hides);
      if (status !== expected) differences.push({ ...row, expected, status, text: text.slice(0, 200) });
      if (PEOPLE[name].inGroup === 'none' && /secret/.test(text)) differences.push({ ...row, text });
      if (!may(PEOPLE[name], 'group owner') && text.includes(group.token)) differences.push({ ...row, text });
    }
    expect(differences).toEqual([]);
  });
});

it('a parameter that there isn’t is refused by every route, and an address that can’t be read by none', async () => {
  const differences: unknown[] = [];
  for (const { route } of TABLE) {
    if (route === 'GET /metrics') continue;
    const [method, template] = route.split(' ');
    const path = template.replace('*', 'foreign.log').replace(/:(\w+)/g, (_, name: string) => ids[name]);
    const response = await viewer.fetch(method, `${path}?no_such=1`);
    const { message } = (await response.json()) as { message: string };
    if (response.status !== 422 || !message.startsWith('There is no parameter "no_such" here: there '))
      differences.push([route, response.status, message]);
  }
  expect(differences).toEqual([]);
  for (const path of [`/api/alerts/${'a'.repeat(2_000)}`, '/api/groups/%zz'])
    expect(await (await viewer.fetch('GET', path)).json()).toEqual({
      id: 'bad_request',
      message: expect.stringMatching(/^[^/]*address[^/]*\.$/),
    });
});

it('the table has every route', () => {
  const found = readdirSync(API, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap((entry) => [
      ...readFileSync(join(entry.parentPath, entry.name), 'utf8').matchAll(
        /\.(get|post|put|patch|delete)(?:<[^(]*>)?\(\s*(?:'([^']+)'|PATH)/g,
      ),
    ])
    .map(([, method, path = '/api/tail']) => `${method.toUpperCase()} ${path}`)
    .filter((route) => !['GET /', 'GET /health'].includes(route));
  const known = [...TABLE, ...OWNERS_ONLY].map(({ route }) => route);
  expect([...new Set(found)].sort()).toEqual([...new Set([...known, ...OPEN])].sort());
});
