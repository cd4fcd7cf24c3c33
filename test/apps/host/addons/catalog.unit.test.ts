import { describe, expect, it } from 'vitest';
import { CATALOG } from '../../../../src/apps/host/addons/catalog/catalog.ts';
import { attachedConfigVars, configOfFacts } from '../../../../src/apps/host/addons/catalog/config-vars.ts';
import { findService, requirePlan } from '../../../../src/apps/host/addons/catalog/find-service.ts';
import { factsOfUrl } from '../../../../src/apps/host/addons/external/external-provider.ts';
import { parseAttachmentName } from '../../../../src/apps/host/addons/model/attachment-names.ts';

/** The config vars of the first add-on of what was typed, when its provider tells everything. */
function varsOf(typed: string): string[] {
  const found = findService(CATALOG, typed);
  if (!found) return [];
  const facts = Object.fromEntries(Object.values(found.configVars).map((fact) => [fact, 'x']));
  return Object.keys(attachedConfigVars(found.prefix, configOfFacts(found.configVars, facts)));
}

describe('the catalog', () => {
  it.each([
    ['memcache', 'memcachier', ['MEMCACHE_SERVERS', 'MEMCACHE_USERNAME', 'MEMCACHE_PASSWORD']],
    ['memcachier:dev', 'memcachier', ['MEMCACHIER_SERVERS', 'MEMCACHIER_USERNAME', 'MEMCACHIER_PASSWORD']],
    ['redistogo:nano', 'heroku-redis', ['REDISTOGO_URL']],
    ['redis', 'heroku-redis', ['REDIS_URL']],
    ['heroku-redis:mini', 'heroku-redis', ['REDIS_URL']],
    ['mongohq', 'mongolab', ['MONGOHQ_URL']],
    ['mongolab', 'mongolab', ['MONGOLAB_URI']],
    ['postgresql', 'heroku-postgresql', ['DATABASE_URL']],
    ['Postgres', 'heroku-postgresql', ['DATABASE_URL']],
    ['heroku-postgresql:hobby-dev', 'heroku-postgresql', ['DATABASE_URL']],
    ['sentry', 'sentry', ['SENTRY_DSN']],
    ['papertrail:choklad', 'papertrail', ['PAPERTRAIL_API_TOKEN', 'PAPERTRAIL_URL']],
    [
      'sendgrid',
      'mailgun',
      [
        'SENDGRID_USERNAME',
        'SENDGRID_PASSWORD',
        'SENDGRID_SMTP_SERVER',
        'SENDGRID_SMTP_PORT',
        'SENDGRID_SMTP_CA_CERT',
      ],
    ],
  ])('%s is %s', (typed, service, vars) => {
    expect(requirePlan(CATALOG, typed).service.name).toBe(service);
    expect(varsOf(typed)).toEqual(vars);
  });

  it('has each name once, and names that can be typed', () => {
    const names = CATALOG.flatMap(({ name, spellings }) => [name, ...Object.keys(spellings)]);
    expect(names).toEqual([...new Set(names)]);
    for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9-]+$/);
    for (const { prefix, colorPrefix, spellings } of CATALOG)
      for (const one of [prefix, colorPrefix, ...Object.values(spellings).map((spelling) => spelling.prefix)])
        if (one !== undefined) expect(parseAttachmentName(one)).toBe(one);
  });

  it('has plans with names and aliases of their own, and a default', () => {
    for (const { plans } of CATALOG) {
      const names = plans.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
      expect(names.length).toBeGreaterThan(0);
      expect(names).toEqual([...new Set(names)]);
    }
  });

  it('refuses what isn’t in it, also names that every object has', () => {
    for (const typed of ['nosuch', '', 'constructor', '__proto__', ':dev'])
      expect(() => requirePlan(CATALOG, typed)).toThrow(/Couldn't find that add-on service; there are: /);
    for (const typed of ['redis:nosuch', 'redis:constructor'])
      expect(() => requirePlan(CATALOG, typed)).toThrow(
        /Couldn't find either the add-on service or the add-on plan/,
      );
  });
});

describe('an address that runs elsewhere', () => {
  it('is taken apart for the config vars of its service', () => {
    const { configVars, prefix } = requirePlan(CATALOG, 'memcache');
    const facts = factsOfUrl('memcached://me:s%40fe@cache.example.com:11211', { url: '' });
    expect(attachedConfigVars(prefix, configOfFacts(configVars, facts))).toEqual({
      MEMCACHE_SERVERS: 'cache.example.com:11211',
      MEMCACHE_USERNAME: 'me',
      MEMCACHE_PASSWORD: 's@fe',
    });
  });

  it('is refused when it is none', () => {
    for (const url of ['', 'nonsense', 'example.com', 'mailto:me@example.com'])
      expect(() => factsOfUrl(url)).toThrow(/is no address/);
  });
});
