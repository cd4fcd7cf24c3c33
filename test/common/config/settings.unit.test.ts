import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defaultDataFolder, editDistance, readSettings } from '../../../src/common/config/settings.ts';
import { SETTINGS, type SettingRow } from '../../../src/common/config/settings-table.ts';

const defaults = { data: '/data', allowPrivateDrains: 'no', dynoMemory: 'none' } as const;
const read = (environment: Record<string, string>) => readSettings(environment, defaults);

describe('settings', () => {
  it('have defaults', () => {
    expect(read({})).toMatchObject({
      data: '/data',
      host: '127.0.0.1',
      httpPort: 8601,
      syslogPort: 6001,
      routerPort: 8080,
      streamAgeMs: 7 * 86_400_000,
      durability: 'process',
      proxyProtocol: false,
      tokenLines: undefined,
      allowPrivateDrains: false,
      isolationReadable: [],
      dynoMemory: undefined,
      redisUrl: '',
      redisWait: 0,
    });
  });

  it('are those of the table, all of them', () => {
    expect(Object.keys(read({}))).toEqual(Object.keys(SETTINGS));
  });

  it('have other defaults where tailrace is started another way', () => {
    const started = { data: 'here', allowPrivateDrains: 'yes', dynoMemory: '512MB' } as const;
    expect(readSettings({}, started)).toMatchObject({
      data: resolve('here'),
      allowPrivateDrains: true,
      dynoMemory: 536_870_912,
    });
    const environment = { TAILRACE_DYNO_MEMORY: 'none', TAILRACE_ALLOW_PRIVATE_DRAINS: 'no' };
    expect(readSettings(environment, started)).toMatchObject({
      allowPrivateDrains: false,
      dynoMemory: undefined,
    });
  });

  it.each([
    [{ TAILRACE_HTTP_PORT: '0' }, { httpPort: 0 }],
    [{ TAILRACE_HTTP_PORT: '65535' }, { httpPort: 65_535 }],
    [
      { TAILRACE_HOST: '[::]', TAILRACE_PLAIN_HTTP_HOST: '::1' },
      { host: '::', plainHttpHost: '::1' },
    ],
    [{ TAILRACE_CORS_ORIGINS: '' }, { corsOrigins: [] }],
    [
      { TAILRACE_CORS_ORIGINS: 'https://Shop.example.com/, http://localhost:3000' },
      { corsOrigins: ['https://shop.example.com', 'http://localhost:3000'] },
    ],
    [{ TAILRACE_CORS_ORIGINS: '*' }, { corsOrigins: ['*'] }],
    [{ TAILRACE_HOST: 'Logs.internal' }, { host: 'Logs.internal' }],
    [{ TAILRACE_HOST: 'fe80::1%eth0' }, { host: 'fe80::1%eth0' }],
    [{ TAILRACE_STREAM_LINES: '1' }, { streamLines: 1 }],
    [{ TAILRACE_STREAM_BYTES: '65536' }, { streamBytes: 65_536 }],
    [{ TAILRACE_STREAM_BYTES: '512B' }, { streamBytes: 512 }],
    [{ TAILRACE_OIDC_DOMAINS: 'Example.com, example.org' }, { oidcDomains: ['example.com', 'example.org'] }],
    [{ TAILRACE_STREAM_BYTES: '2KB' }, { streamBytes: 2_048 }],
    [{ TAILRACE_STREAM_BYTES: '3 mb' }, { streamBytes: 3 * 1_048_576 }],
    [{ TAILRACE_STREAM_BYTES: '1GB' }, { streamBytes: 1_073_741_824 }],
    [{ TAILRACE_STREAM_BYTES: '1 GiB' }, { streamBytes: 1_073_741_824 }],
    [{ TAILRACE_STREAM_BYTES: '7b' }, { streamBytes: 7 }],
    [{ TAILRACE_STREAM_AGE: '90s' }, { streamAgeMs: 90_000 }],
    [{ TAILRACE_STREAM_AGE: '30m' }, { streamAgeMs: 1_800_000 }],
    [{ TAILRACE_STREAM_AGE: '12h' }, { streamAgeMs: 43_200_000 }],
    [{ TAILRACE_STREAM_AGE: '1w2d' }, { streamAgeMs: 9 * 86_400_000 }],
    [{ TAILRACE_STREAM_AGE: '52w' }, { streamAgeMs: 31_449_600_000 }],
    [{ TAILRACE_DYNO_SAMPLE: '24d' }, { dynoSampleMs: 2_073_600_000 }],
    [{ TAILRACE_DURABILITY: 'disk' }, { durability: 'disk' }],
    [{ TAILRACE_ISOLATION_READABLE: '/a::/b' }, { isolationReadable: ['/a', '/b'] }],
    [{ TAILRACE_DYNO_MEMORY: '1GB' }, { dynoMemory: 1_073_741_824 }],
    [{ TAILRACE_TOKEN_LINES_PER_S: '5' }, { tokenLines: 5 }],
    [{ TAILRACE_APP_BYTES_PER_S: '2KB' }, { appBytes: 2_048 }],
    [{ REDIS_WAIT: '2' }, { redisWait: 2 }],
    [{ TAILRACE_PUBLIC_URL: 'https://Logs.example.com/' }, { publicUrl: 'https://logs.example.com' }],
    [{ TAILRACE_APPS_DOMAIN: 'apps.example.com' }, { appsUrl: 'https://apps.example.com' }],
    [{ TAILRACE_APPS_DOMAIN: 'http://Apps.example.com:8080/' }, { appsUrl: 'http://apps.example.com:8080' }],
    [{}, { appsUrl: '', trustedProxies: undefined }],
    [{ TAILRACE_TRUST_PROXY: 'none' }, { trustedProxies: [] }],
    [{ TAILRACE_TRUST_PROXY: '10.1.2.3, fd00::/8' }, { trustedProxies: ['10.1.2.3', 'fd00::/8'] }],
    [{ TAILRACE_TRUST_PROXY: 'loopback' }, { trustedProxies: ['127.0.0.0/8', '::1'] }],
    [{ TAILRACE_ALLOW_PRIVATE_DRAINS: 'yes' }, { allowPrivateDrains: true }],
    [{ TAILRACE_ALLOW_PRIVATE_DRAINS: '0' }, { allowPrivateDrains: false }],
    [{ TAILRACE_HTTP_PORT: '' }, { httpPort: 8601 }],
    [{ TAILRACE_URL: 'http://x', TAILRACE_API_KEY: 'k', TAILRACE_APP: 'a' }, {}],
    [{ SOMETHING_ELSE: 'x' }, {}],
  ])('%j: %j', (environment, expected) => expect(read(environment)).toMatchObject(expected));

  it.each([
    ['TAILRACE_HTTP_PORT', '65536'],
    ['TAILRACE_HTTP_PORT', '-1'],
    ['TAILRACE_HOST', '*'],
    ['TAILRACE_CORS_ORIGINS', 'shop.example.com'],
    ['TAILRACE_CORS_ORIGINS', 'https://shop.example.com/path'],
    ['TAILRACE_CORS_ORIGINS', 'https://*.example.com, ftp://x.example.com'],
    ['TAILRACE_CORS_ORIGINS', 'null'],
    ['TAILRACE_HOST', '0.0.0.0:8601'],
    ['TAILRACE_HOST', '[::1]:8601'],
    ['TAILRACE_PLAIN_HTTP_HOST', 'http://10.0.0.1'],
    ['TAILRACE_HTTP_PORT', '80x'],
    ['TAILRACE_APPS_DOMAIN', '*.apps.example.com'],
    ['TAILRACE_APPS_DOMAIN', 'https://apps.example.com/path'],
    ['TAILRACE_APPS_DOMAIN', '192.0.2.7'],
    ['TAILRACE_APPS_DOMAIN', '-x.example.com'],
    ['TAILRACE_APPS_DOMAIN', 'ftp://apps.example.com'],
    ['TAILRACE_TRUST_PROXY', 'yes'],
    ['TAILRACE_TRUST_PROXY', '10.0.0.0/33'],
    ['TAILRACE_TRUST_PROXY', 'none, 10.0.0.1'],
    ['TAILRACE_PUBLIC_URL', 'logs.example.com'],
    ['TAILRACE_PUBLIC_URL', 'https://logs.example.com/path'],
    ['TAILRACE_PUBLIC_URL', 'ftp://logs.example.com'],
    ['TAILRACE_STREAM_LINES', '0'],
    ['TAILRACE_STREAM_LINES', '1.5'],
    ['TAILRACE_STREAM_BYTES', '0'],
    ['TAILRACE_STREAM_BYTES', '512'],
    ['TAILRACE_DYNO_MEMORY', '512'],
    ['TAILRACE_OIDC_DOMAINS', '@example.com'],
    ['TAILRACE_OIDC_DOMAINS', '*.example.com'],
    ['TAILRACE_STREAM_BYTES', '5 parsecs'],
    ['TAILRACE_STREAM_AGE', '0d'],
    ['TAILRACE_DYNO_SAMPLE', '25d'],
    ['TAILRACE_DYNO_SAMPLE', '5w'],
    ['REDIS_WAIT_TIMEOUT', '600h'],
    ['TAILRACE_PROXY_PROTOCOL', 'perhaps'],
    ['TAILRACE_DYNO_MEMORY', 'much'],
    ['REDIS_WAIT', '-1'],
    ['TAILRACE_DURABILITY', 'DISK'],
    ['TAILRACE_ALLOW_PRIVATE_DRAINS', 'perhaps'],
    ['TAILRACE_LOG_LEVEL', 'loud'],
  ])('%s=%s is rejected with its name, its value and what it must be', (name, value) => {
    expect(() => read({ [name]: value })).toThrow(`${name} is "${value}": it must be `);
  });

  it('lines a second are a number, bytes a second one with a unit', () => {
    expect(() => read({ TAILRACE_APP_LINES_PER_S: '5KB' })).toThrow(/ must be a number above 0\.$/);
    expect(() => read({ TAILRACE_METRICS_APPS: '-1' })).toThrow(/ must be a number, or 0\.$/);
    expect(() => read({ TAILRACE_STREAM_BYTES: '1 iB' })).toThrow(/ must be a number of bytes/);
    expect(() => read({ TAILRACE_TOKEN_LINES_PER_S: '0' })).toThrow(/ must be a number above 0\.$/);
    expect(() => read({ TAILRACE_TOKEN_BYTES_PER_S: '5x' })).toThrow(/ must be a number of bytes, such as /);
  });

  it.each([
    ['TAILRACE_HTTPPORT', 'TAILRACE_HTTP_PORT'],
    ['TAILRACE_DATE', 'TAILRACE_DATA'],
    ['TAILRACE_STREAM_LINE', 'TAILRACE_STREAM_LINES'],
    ['TAILRACE_APIKEY', 'TAILRACE_API_KEY'],
  ])('%s doesn’t exist: %s is suggested', (name, nearest) => {
    expect(() => read({ [name]: 'x' })).toThrow(`There is no setting ${name}: did you mean ${nearest}?`);
  });

  it('each has a variable of its own, and a meaning', () => {
    const rows: SettingRow[] = Object.values(SETTINGS);
    expect(new Set(rows.map(({ variable }) => variable)).size).toBe(rows.length);
    for (const { variable, meaning, kind, choices } of rows) {
      expect(choices !== undefined).toBe(kind === 'choice');
      expect(variable).toMatch(/^[A-Z][A-Z_]+$/);
      expect(meaning.length).toBeGreaterThan(10);
    }
  });

  it('the data folder is where the XDG Base Directory Specification wants it', () => {
    expect(defaultDataFolder({ XDG_DATA_HOME: '/xdg' })).toBe('/xdg/tailrace');
    expect(defaultDataFolder({})).toBe(`${homedir()}/.local/share/tailrace`);
  });
});

it('the edit distance counts changed, inserted and deleted characters', () => {
  expect(editDistance('', 'abc')).toBe(3);
  expect(editDistance('kitten', 'sitting')).toBe(3);
  expect(editDistance('same', 'same')).toBe(0);
});
