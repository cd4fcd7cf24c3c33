import { describe, expect, it } from 'vitest';
import { planOf } from '../../../../../src/apps/host/addons/catalog/find-service.ts';
import {
  type PartnerEnvironment,
  parsePartnerManifest,
  partnerService,
} from '../../../../../src/apps/host/addons/partner/manifest.ts';

const API = {
  config_vars: ['ERRORBUCKET_URL', 'ERRORBUCKET_API_KEY'],
  password: 'super-secret',
  sso_salt: 'salt',
  regions: ['us', 'eu'],
  requires: ['log_input', 'many_per_app'],
  production: {
    base_url: 'https://errorbucket.com/heroku/resources/',
    sso_url: 'https://errorbucket.com/sso/login',
  },
  version: '3',
};
const parse = (api: object = {}, more: object = {}, environment: PartnerEnvironment = 'production') =>
  parsePartnerManifest(
    { id: 'errorbucket', name: 'Errorbucket', api: { ...API, ...api }, ...more },
    environment,
  );
const refusal = (...args: Parameters<typeof parse>): string => {
  try {
    parse(...args);
    return 'was taken';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('an addon-manifest.json', () => {
  it('is taken as Heroku publishes its format', () => {
    expect(parse()).toEqual({
      id: 'errorbucket',
      name: 'Errorbucket',
      environment: 'production',
      baseUrl: 'https://errorbucket.com/heroku/resources',
      ssoUrl: 'https://errorbucket.com/sso/login',
      password: 'super-secret',
      ssoSalt: 'salt',
      prefix: 'ERRORBUCKET',
      configVars: ['ERRORBUCKET_URL', 'ERRORBUCKET_API_KEY'],
      regions: ['us', 'eu'],
      requires: ['log_input', 'many_per_app'],
      plans: [],
    });
  });

  it('has its prefix from its id, and the path of resources where an address has none', () => {
    const manifest = parsePartnerManifest(
      {
        id: 'fast-db',
        api: {
          ...API,
          config_vars: ['FAST_DB_URL'],
          test: { base_url: 'http://a.test', sso_url: 'http://a.test/s' },
        },
      },
      'test',
    );
    expect(manifest).toMatchObject({
      name: 'fast-db',
      prefix: 'FAST_DB',
      baseUrl: 'http://a.test/heroku/resources',
      ssoUrl: 'http://a.test/s',
    });
    expect(parse({ production: 'https://old.example' })).toMatchObject({
      baseUrl: 'https://old.example/heroku/resources',
      ssoUrl: 'https://old.example/sso/login',
    });
  });

  it.each<[string, Parameters<typeof parse>, RegExp]>([
    ['no id', [{}, { id: undefined }], /^id is missing: use 2 to 48 lowercase/],
    ['an id in capitals', [{}, { id: 'ErrorBucket' }], /^id is "ErrorBucket": use/],
    ['the platform’s name', [{}, { id: 'heroku' }], /^id can't be "heroku": lines of the platform/],
    ['no api', [{}, { api: undefined }], /^api is missing/],
    ['no password', [{ password: '' }], /^api\.password is missing: it is a secret/],
    ['a password with a line end', [{ password: 'a\nb' }], /^api\.password can't be used/],
    ['a number as salt', [{ sso_salt: 3 }], /^api\.sso_salt can't be used/],
    ['no config vars', [{ config_vars: [] }], /^api\.config_vars is a list that can't be used: name the 1 to/],
    ['a config var of somebody else', [{ config_vars: ['DATABASE_URL'] }], /has "DATABASE_URL": each begins with ERRORBUCKET_/],
    ['a config var that is the prefix alone', [{ config_vars: ['ERRORBUCKET_'] }], /has "ERRORBUCKET_"/],
    ['a bad prefix', [{ config_vars_prefix: 'error' }], /^api\.config_vars_prefix is "error"/],
    ['no region', [{ regions: [] }], /^api\.regions names no region/],
    ['what isn’t there', [{ requires: ['log_input', 'vpc'] }], /^api\.requires has vpc, which isn't there/],
    ['an old version', [{ version: '1' }], /^api\.version is "1": version "3"/],
    ['no addresses', [{ production: undefined }], /^api\.production is missing: it has the base_url and the sso_url\.$/],
    ['those of tests alone', [{ production: undefined, test: {} }], /register it with --test\.$/],
    ['an address that is none', [{ production: { base_url: 'errorbucket', sso_url: '' } }], /base_url is "errorbucket": write an address .* api\.production\.sso_url is "": write/],
    ['an address in the clear', [{ production: { ...API.production, base_url: 'http://errorbucket.com/' } }], /base_url begins with http:\/\/, where the password could be read/],
    ['an address with a password', [{ production: { ...API.production, base_url: 'https://a:b@c.com/' } }], /has a user or a password in it/],
    ['a plan that is none', [{}, { plans: ['Big Plan'] }], /^plans has "Big Plan"/],
  ])('is refused with what to do: %s', (_, args, expected) => {
    expect(refusal(...args)).toMatch(expected);
  }); // biome-ignore format: a table

  it('is told all that is wrong at once', () => {
    expect(refusal({ password: '', sso_salt: '', regions: 'us' }).match(/[^.]\. |\.$/g)).toHaveLength(3);
    expect(() => parsePartnerManifest([], 'production')).toThrow(/is a JSON object/);
    expect(() => parsePartnerManifest(null, 'production')).toThrow(/is a JSON object/);
  });

  it('becomes a service: plans that it names, or any', () => {
    const service = partnerService(parse());
    expect(service).toMatchObject({
      name: 'errorbucket',
      provider: 'partner',
      configVars: { URL: 'url', API_KEY: 'api_key' },
      isOnePerApp: false,
      isUnshared: true,
    });
    expect(planOf(service).name).toBe('test');
    expect(planOf(service, 'premium-2').name).toBe('premium-2');
    expect(() => planOf(service, '../x')).toThrow(/Couldn't find/);
    const named = partnerService(parse({}, { plans: ['basic', { slug: 'pro', description: '10 GB' }] }));
    expect(planOf(named)).toEqual({ name: 'basic', description: 'basic' });
    expect(planOf(named, 'pro').description).toBe('10 GB');
    expect(() => planOf(named, 'test')).toThrow(/has the plans basic, pro/);
  });
});
