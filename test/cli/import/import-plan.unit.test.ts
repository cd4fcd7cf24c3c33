/** What an import decides: names, keys, plans; without a server. */
import { describe, expect, it } from 'vitest';
import { type Destination, nameOfImport } from '../../../src/cli/import/destination.ts';
import { planImport } from '../../../src/cli/import/plan-import.ts';
import { retryAfterMs } from '../../../src/cli/import/source-api.ts';
import type { SourceAddon, SourceApp } from '../../../src/cli/import/source-app.ts';
import { isKeyFor, passwordInNetrc } from '../../../src/cli/import/source-key.ts';

const SOURCE: SourceApp = {
  id: 'id-1',
  name: 'shop',
  gitUrl: 'https://git.heroku.com/shop.git',
  webUrl: '',
  region: '',
  stack: '',
  isPrivate: false,
  maintenance: false,
  formation: [],
  config: {},
  domains: [],
  certificates: 0,
  buildpacks: [],
  drains: [],
  addons: [],
  people: [],
  features: [],
  pipeline: false,
  webhooks: 0,
  release: '',
  unread: [],
};
const service = (name: string, description = name, available = true) => ({ name, description, available });
const NOTHING: Destination = {
  app: undefined,
  services: [service('heroku-postgresql'), service('heroku-redis'), service('papertrail')],
  people: [],
  addonNames: [],
};
const NEW = { isDeployed: false, formation: [], config: {}, domains: [], buildpacks: [] };
const HERE = { ...NEW, drainUrls: [], attachments: [], features: {} };
const OPTIONS = {
  name: 'shop',
  from: 'https://api.heroku.com/apps/id-1',
  configValues: true,
  ownUrls: ['http://127.0.0.1:8601'],
};
const plan = (source: Partial<SourceApp>, here: Partial<Destination> = {}, configValues = true) => {
  const { steps, notes } = planImport(
    { ...SOURCE, ...source },
    { ...NOTHING, ...here },
    { ...OPTIONS, configValues },
  );
  return {
    // The app itself is always the first one.
    steps: steps.slice(1),
    todo: steps.slice(1).flatMap(({ what, request }) => (request ? [what] : [])),
    notes: notes.map(({ kind, text }) => `${kind} ${text}`),
  };
};
const addon = (given: Partial<SourceAddon>): SourceAddon => ({
  name: 'addon-1',
  service: 'heroku-redis',
  plan: 'mini',
  owner: 'shop',
  configVars: [],
  attachments: [],
  ...given,
});

describe('the name of an import', () => {
  const from = OPTIONS.from;
  const app = (name: string, imported: string | null, day: number) => ({
    name,
    imported_from: imported,
    created_at: `2026-11-0${day}T00:00:00Z`,
  });
  it.each([
    ['as there', [], undefined, 'shop', false],
    ['as asked for', [], 'store', 'store', false],
    ['as it is called by now', [app('store', from, 1)], undefined, 'store', true],
    ['of several the first', [app('copy', from, 2), app('store', from, 1)], undefined, 'store', true],
    ['of several the one that has it', [app('copy', from, 1), app('shop', from, 2)], undefined, 'shop', true],
    ['a second one on request', [app('shop', from, 1)], 'store', 'store', false],
  ])('is %s', (_, apps, wanted, name, exists) => {
    expect(nameOfImport(apps, { from, wanted, name: 'shop' })).toEqual({ name, exists });
  });
  it('is never that of another app', () => {
    for (const imported of [null, 'https://api.heroku.com/apps/id-2'])
      expect(() =>
        nameOfImport([app('shop', imported, 1)], { from, wanted: undefined, name: 'shop' }),
      ).toThrow(/wasn't imported from .*--as NAME/);
  });
});

describe('the key in a .netrc', () => {
  it.each([
    ['machine api.heroku.com\n  login me@example.com\n  password secret\n', 'secret'],
    ['machine api.heroku.com login me password "secret"', 'secret'],
    ['machine git.heroku.com password other\nmachine api.heroku.com account x password secret', 'secret'],
    ['# machine api.heroku.com password old\nmachine api.heroku.com password secret', 'secret'],
    [
      'macdef init\ncd machine api.heroku.com password old\n\nmachine api.heroku.com password secret',
      'secret',
    ],
    ['machine git.heroku.com login me password other\n', undefined],
    ['default login me password other\n', undefined],
    ['machine api.heroku.com login password\n', undefined],
    ['', undefined],
  ])('%j', (text, key) => {
    expect(passwordInNetrc(text, 'api.heroku.com')).toBe(key);
  });
});

it('HEROKU_API_KEY is for the host that HEROKU_HOST names', () => {
  const hosts = [
    undefined,
    '',
    'heroku.com',
    'https://api.heroku.com',
    'http://localhost:8601',
    'other.com',
    'https://',
  ];
  expect(hosts.map((host) => isKeyFor('api.heroku.com', host))).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
  expect(isKeyFor('localhost', 'http://localhost:8601')).toBe(true);
});

it('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-11-29T00:00:00Z');
  expect(retryAfterMs('7', now)).toBe(7_000);
  expect(retryAfterMs('Sun, 29 Nov 2026 00:01:00 GMT', now)).toBe(60_000);
  expect(retryAfterMs('Sat, 28 Nov 2026 00:01:00 GMT', now)).toBe(0);
  expect([retryAfterMs('soon', now), retryAfterMs(undefined, now)]).toEqual([undefined, undefined]);
});

describe('add-ons', () => {
  it.each([
    ['heroku-redis', 'premium-0', 'add-on heroku-redis:premium-0'],
    ['rediscloud', '30', 'add-on rediscloud:local'],
    ['heroku-postgresql', 'hobby-dev', 'add-on heroku-postgresql:essential-0'],
    ['logentries', 'le_tryit', 'add-on logentries:local'],
  ])('%s:%s is %s', (name, wanted, what) => {
    expect(plan({ addons: [addon({ service: name, plan: wanted, attachments: ['ONE'] })] }).todo).toEqual([
      `${what} as ONE`,
    ]);
  });

  it('of whatever sends mail stay, unless a partner of that name is registered', () => {
    const addons = ['sendgrid', 'mailgun', 'postmark'].map((name) => addon({ service: name, plan: 'x' }));
    const catcher = service('mailgun', 'catches all e-mail of development on this machine');
    const { todo, notes } = plan({ addons }, { services: [catcher] });
    expect(todo).toEqual([]);
    expect(notes.filter((note) => note.includes('only catches mail of tests'))).toHaveLength(3);
    const partner = service('sendgrid', 'a partner');
    expect(plan({ addons: addons.slice(0, 1) }, { services: [catcher, partner] }).todo).toEqual([
      'add-on sendgrid:x',
    ]);
  });

  it('whose program is missing here are said, and their config vars come along as they are', () => {
    const services = [service('heroku-redis', 'redis-server is missing: install redis-server', false)];
    const addons = [addon({ configVars: ['REDIS_URL'], attachments: ['REDIS'] })];
    const { todo, notes } = plan({ addons, config: { REDIS_URL: 'redis://there' } }, { services });
    expect(todo).toEqual(['config vars REDIS_URL']);
    expect(notes).toContainEqual(expect.stringMatching(/install redis-server; then run the import again/));
    expect(notes).toContainEqual(expect.stringMatching(/REDIS_URL are those of heroku-redis there/));
  });

  it('that an interruption left with half of their attachments get the others', () => {
    const addons = [addon({ attachments: ['REDIS', 'QUEUE', 'CACHE'] })];
    const attachments = [{ name: 'REDIS', addon: 'redis-1', service: 'heroku-redis' }];
    const { steps } = plan({ addons }, { app: { ...HERE, attachments } });
    expect(steps).toEqual([
      {
        what: 'add-on heroku-redis:mini as REDIS, QUEUE, CACHE: attach QUEUE, CACHE',
        request: { method: 'POST', path: '//addon-attachments', body: { addon: 'redis-1', name: 'QUEUE' } },
        moreAttachments: ['CACHE'],
      },
    ]);
  });

  it('get a new name where theirs is taken', () => {
    const { steps } = plan({ addons: [addon({ attachments: ['REDIS'] })] }, { addonNames: ['addon-1'] });
    expect(steps[0].request?.body).toEqual({
      plan: 'heroku-redis:mini',
      name: undefined,
      attachment: { name: 'REDIS' },
    });
  });
});

describe('config vars', () => {
  it('that an add-on replaces, or that Heroku sets, aren’t copied', () => {
    const addons = [
      addon({ configVars: ['REDIS_URL', 'REDIS_TLS_URL'], attachments: ['REDIS'] }),
      addon({ name: 'other', owner: 'billing', attachments: ['INVOICES'] }),
    ];
    const config = {
      A: '1',
      INVOICES_URL: 'redis://there',
      REDIS_TLS_URL: 'rediss://there',
      REDIS_URL: 'redis://there',
      HEROKU_SLUG_COMMIT: 'abc',
      HEROKU_KEY: 'mine',
    };
    const { steps, notes } = plan({ addons, config });
    expect(steps.at(-1)?.request?.body).toEqual({ A: '1', HEROKU_KEY: 'mine' });
    expect(notes).toContainEqual(expect.stringContaining("that the one here doesn't give: REDIS_TLS_URL"));
    expect(notes.join('\n')).not.toContain('redis://');
  });

  it('without their values are named', () => {
    const { todo, notes } = plan({ config: { B: 'secret-b', A: 'secret-a' } }, {}, false);
    expect(todo).toEqual([]);
    expect(notes).toEqual([
      expect.stringMatching(/^stays values of config vars: A, B\. They are copied with/),
    ]);
  });

  it('stay when it isn’t known which are those of add-ons', () => {
    const unread = [{ what: 'add-ons', reason: 'No.' }];
    const { todo, notes } = plan({ config: { DATABASE_URL: 'postgres://there' }, unread });
    expect(todo).toEqual([]);
    expect(notes[0]).toMatch(/^stays config vars: without the add-ons/);
  });

  it('that are here keep their values', () => {
    const app = { ...HERE, config: { A: 'here', B: 'same' } };
    const { steps, notes } = plan({ config: { A: 'there', B: 'same', C: 'new' } }, { app });
    expect(steps.at(-1)?.request?.body).toEqual({ C: 'new' });
    expect(notes).toEqual(['differs config vars that have another value here, which stays: A']);
  });
});

describe('the formation', () => {
  const of = (quantity: number, size: string) => ({ formation: [{ type: 'web', quantity, size }] });
  it.each([
    [of(2, 'Standard-1X'), 'web=2:Standard-1X'],
    [of(1, 'basic'), 'web=1:Basic'],
    [of(1, ''), 'web=1'],
    [of(1, 'Private-M'), 'web=1:Performance-M'],
    [of(1, 'Huge'), 'web=1'],
    [of(250, 'Basic'), 'web=100:Basic'],
  ])('%j is %s', (source, shown) => {
    expect(plan(source).todo).toEqual([`formation ${shown}, from the first release on`]);
  });
  it('of an app that is deployed stays', () => {
    const formation = [{ type: 'web', quantity: 5, size: 'Basic' }];
    const { todo, notes } = plan(of(2, 'Basic'), { app: { ...HERE, isDeployed: true, formation } });
    expect(todo).toEqual([]);
    expect(notes).toContain('differs web is scaled otherwise here, which stays (there: 2:Basic)');
  });
});

it('what another Tailrace masks can’t come along, and how it sends does', () => {
  const drain = (url: string, options = {}) => ({ url, isAddons: false, options });
  const drains = [
    drain('https://a:****@logs.example.com'),
    drain('https://b.example.com', { format: 'json' }),
    drain('https://c.example.com', { headers: { 'x-key': '****' } }),
  ];
  const { steps, notes } = plan({ drains });
  expect(steps.map(({ request }) => request?.body)).toEqual([
    { url: 'https://b.example.com', options: { format: 'json' } },
  ]);
  expect(notes.filter((note) => note.includes("its password isn't told"))).toHaveLength(2);
});

it('a drain that leads here stays, since the lines would go round', () => {
  const drains = ['http://token:t@localhost:8601/logs', 'http://token:t@localhost:8602/logs'].map((url) => ({
    url,
    isAddons: false,
    options: {},
  }));
  const { todo, notes } = plan({ drains });
  expect(todo).toEqual(['drain http://token:****@localhost:8602/logs']);
  expect(notes).toContainEqual(expect.stringMatching(/localhost:8601\/logs: it leads here/));
});

it('people get the roles that their permissions are; without the right to invite they are named', () => {
  const person = (email: string, role: string, ...permissions: string[]) => ({ email, role, permissions });
  const people = [
    person('a@example.com', 'owner'),
    person('b@example.com', 'collaborator', 'deploy', 'view'),
    person('c@example.com', 'member', 'view'),
    person('d@example.com', '', 'manage'),
    person('e@example.com', ''),
    person('owner@tailrace.localhost', 'owner'),
  ];
  const shown = ['a@example.com as owner', 'b@example.com as member', 'c@example.com as viewer'];
  expect(plan({ people }).todo).toEqual([...shown, 'd@example.com as admin', 'e@example.com as member']);
  expect(plan({ people }, { people: ['a@example.com', 'b@example.com'] }).todo).toHaveLength(3);
  const { todo, notes } = plan({ people }, { people: undefined });
  expect(todo).toEqual([]);
  expect(notes).toEqual([
    expect.stringMatching(/^stays collaborators a@example\.com \(owner\), .*may not invite/),
  ]);
});
