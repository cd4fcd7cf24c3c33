import { describe, expect, it } from 'vitest';
import { parseMemcachedLine } from '../../../../src/apps/host/addons/services/lines/memcached-lines.ts';
import { parseMongodLine } from '../../../../src/apps/host/addons/services/lines/mongodb-lines.ts';
import { readRedisLines } from '../../../../src/apps/host/addons/services/lines/redis-lines.ts';
import { mongodbService, mongodConfig } from '../../../../src/apps/host/addons/services/mongodb.ts';

/** As `[severity, message]`. */
function readRedis(...lines: string[]): [number, string][] {
  const written: [number, string][] = [];
  const reader = readRedisLines({ write: (text, priority = -1) => void written.push([priority % 8, text]) });
  for (const line of lines) reader.line(line);
  reader.end();
  return written;
}

describe('lines of Redis', () => {
  it('have their severity, without process and time', () => {
    expect(
      readRedis(
        '28926:C 28 Nov 2026 17:53:39.149 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo',
        '28926:C 28 Nov 2026 17:53:39.149 # Redis version=7.0.15, bits=64, just started',
        '28926:M 28 Nov 2026 17:53:39.150 # Server initialized',
        '28926:M 28 Nov 2026 17:53:39.150 # WARNING Memory overcommit must be enabled!',
        '28926:M 28 Nov 2026 17:53:39.151 * Ready to accept connections',
        '28926:M 28 Nov 2026 17:53:39.151 - Accepted 127.0.0.1:40112',
        '28926:M 28 Nov 2026 17:53:39.151 . DB 0: 1 keys',
        '28926:M 28 Nov 2026 17:53:39.151 # Error writing to the AOF file: No space left on device',
        "28926:M 28 Nov 2026 17:53:39.151 # Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...",
        '28926:signal-handler (1795888421) Received SIGTERM scheduling shutdown...',
        '28926:M 28 Nov 2026 17:53:41.176 # Redis is now ready to exit, bye bye...',
      ),
    ).toEqual([
      [5, 'Redis version=7.0.15, bits=64, just started'],
      [5, 'Server initialized'],
      [4, 'WARNING Memory overcommit must be enabled!'],
      [5, 'Ready to accept connections'],
      [6, 'Accepted 127.0.0.1:40112'],
      [7, 'DB 0: 1 keys'],
      [3, 'Error writing to the AOF file: No space left on device'],
      [3, "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting..."],
      [5, 'Received SIGTERM scheduling shutdown...'],
      [5, 'Redis is now ready to exit, bye bye...'],
    ]);
  });

  it('that are of another form stay as they are; a crash report is for its developers, but for what happened', () => {
    expect(
      readRedis(
        '*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***',
        'Reading the configuration file, at line 4',
        '',
        '      _.-``__ ``-._',
        'a line # with a sign * in it',
      ),
    ).toEqual([
      [3, '*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***'],
      [6, 'Reading the configuration file, at line 4'],
      [6, '_.-``__ ``-._'],
      [6, 'a line # with a sign * in it'],
    ]);
    expect(
      readRedis(
        '=== REDIS BUG REPORT START: Cut & paste starting from here ===',
        '29046:M 28 Nov 2026 18:03:45.625 # Redis 7.0.15 crashed by signal: 11, si_code: 0',
        '29046:M 28 Nov 2026 18:03:45.625 # (00007fff4cc3d3cf) -> 0000000000000001',
        'RAX:fffffffffffffffc RBX:00007f1014108590',
        '=== REDIS BUG REPORT END. ===',
        '29046:M 28 Nov 2026 18:03:45.625 # hm',
      ),
    ).toEqual([
      [3, '=== REDIS BUG REPORT START: Cut & paste starting from here ==='],
      [3, 'Redis 7.0.15 crashed by signal: 11, si_code: 0'],
      [7, '(00007fff4cc3d3cf) -> 0000000000000001'],
      [7, 'RAX:fffffffffffffffc RBX:00007f1014108590'],
      [7, '=== REDIS BUG REPORT END. ==='],
      [4, 'hm'],
    ]);
  });
});

describe('lines of memcached', () => {
  it.each([
    ['Initialized SASL.', 6, 'Initialized SASL.'],
    ['SASL (severity 2): Password verification failed', 4, 'SASL: Password verification failed'],
    ['SASL (severity 1): no database', 3, 'SASL: no database'],
    ['SASL (severity 6): a step', 7, 'SASL: a step'],
    ['failed to listen on TCP port 28000: Address already in use', 3],
    ['bind(): Cannot assign requested address', 3],
    ['WARNING: slab memory', 4],
    ['Exiting normally', 6],
  ])('%s', (line, severity, text = line) => {
    expect(parseMemcachedLine(line)).toEqual({ severity, text });
  });
  it.each([
    '',
    'Reading configuration from: </x>',
    "mech:  ``PLAIN'' with 14 bytes of data",
    'sasl result code:  0',
    'Unknown sasl response:  -13',
  ])('nothing is said with %s', (line) => expect(parseMemcachedLine(line)).toBeUndefined());
});

describe('mongod', () => {
  it.each([
    [
      '{"t":{"$date":"2026-05-20T19:18:40.604+00:00"},"s":"I","c":"NETWORK","id":23016,"ctx":"listener","msg":"Waiting for connections","attr":{"port":28000,"ssl":"off"}}',
      6,
      'NETWORK Waiting for connections {"port":28000,"ssl":"off"}',
    ],
    [
      '{"t":{"$date":"2026-05-20T19:18:40.604+00:00"},"s":"E","c":"STORAGE","id":1,"ctx":"x","msg":"Failed"}',
      3,
      'STORAGE Failed',
    ],
    ['{"s":"D2","c":"-","msg":"m"}', 7, '- m'],
    [
      '2020-05-01T15:16:17.180+0000 W  STORAGE  [initandlisten] a warning',
      4,
      'STORAGE [initandlisten] a warning',
    ],
    ['{"not": "its', 6, '{"not": "its'],
    ['{"s":1}', 6, '{"s":1}'],
    ['Illegal instruction', 6, 'Illegal instruction'],
  ])('its line %s', (line, severity, text) => {
    expect(parseMongodLine(line)).toEqual({ severity, text });
  });

  it('has a configuration without its password, an address that confirms what is on the disk, and a port on loopback alone', () => {
    const instance = {
      id: 'x',
      name: 'mongodb-clear-1',
      folder: '/x',
      plan: { name: 'local', description: '', connections: 50 },
      port: 28_001,
      password: 'c0ffee',
      number: 1,
    };
    expect(mongodConfig(instance, ['127.0.0.1', '::1'])).toBe(
      `systemLog:
  quiet: true
storage:
  dbPath: data
net:
  port: 28001
  bindIp: 127.0.0.1,::1
  ipv6: true
  maxIncomingConnections: 50
  unixDomainSocket:
    enabled: false
security:
  authorization: enabled
`,
    );
    expect(mongodConfig(instance, ['127.0.0.1'])).toContain('  ipv6: false\n');
    expect(mongodbService.command(instance)).toMatch(/^exec '\S*mongod' --config mongod\.conf$/);
    expect(mongodbService.facts(instance)).toEqual({
      url: 'mongodb://app:c0ffee@localhost:28001/app?authSource=admin&journal=true',
    });
  });
});
