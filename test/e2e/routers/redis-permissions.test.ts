/** A whole server whose user in Redis may do exactly what docs/redis.md lists: that is enough, and all of it is needed. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { requiredRules } from '../../../src/logs/store/redis/connection/acl-rules.ts';
import { runTailrace } from '../../support/program.ts';
import { startHttpReceiver } from '../../support/receivers/receivers.ts';
import { openWebSocketTail } from '../../support/receivers/tail-protocols.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import {
  logplexBody,
  logplexLine,
  numberedMessages,
  postLogs,
  pushLines,
  sendOverTcp,
} from '../../support/senders/send-lines.ts';
import { dataFolderForTest, spawnServer, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const RULES = requiredRules(['always', 'wait', 'database', 'label', 'sizes']);

async function redisForTest(config: readonly string[] = []): Promise<RedisServer> {
  const redis = await RedisServer.start({ config });
  onTestFinished(() => redis.remove());
  await redis.command('acl', 'setuser', 'tailrace', 'on', '>secret', '-@all', ...RULES);
  return redis;
}

const urlOf = ({ port }: RedisServer, database = ''): string =>
  `redis://tailrace:secret@127.0.0.1:${port}${database}`;

describe.runIf(hasRedis)('the permissions of docs/redis.md', () => {
  it('are enough for everything, and none is superfluous', async () => {
    const redis = await redisForTest(['appendonly yes']);
    const replica = await RedisServer.start({ config: [`replicaof 127.0.0.1 ${redis.port}`] });
    onTestFinished(() => replica.remove());
    await until('the replica is in sync', async () =>
      String(await replica.command('info', 'replication')).includes('master_link_status:up'),
    );
    await redis.command('config', 'resetstat');
    const env = { REDIS_URL: urlOf(redis, '/3'), REDIS_WAIT: '1', TAILRACE_STREAM_LINES: '200' };
    const servers = [await startServerForTest({ env }), await startServerForTest({ env })];
    const [one, other] = servers;
    const receiver = await startHttpReceiver();
    const app = await one.createApp('rill');
    await one.createDrain(app, receiver.url);
    const tail = openWebSocketTail(other, app, 'lines=10');
    for (let i = 0; i < 10; i++) await pushLines(servers[i % 2], app.token, numberedMessages(50, `${i}`));
    for (let i = 0; i < 2; i++)
      await postLogs(other, app.token, logplexBody(['named']), { 'logplex-frame-id': 'a' });
    await sendOverTcp(other.syslogPort, `${logplexLine('by syslog', app.token)}\n`);
    await until('the tail has all', () => tail.messageTexts.join().includes('by syslog'));
    await until('the drain has all', () => receiver.acceptedMessages().includes('by syslog'));
    expect(await one.readMessages(app, 'lines=5&since=1h')).toHaveLength(5);
    await one.request('DELETE', '/apps/rill');
    for (const server of servers) {
      const { stdout } = await runTailrace(['doctor', '--json'], { env: server.env, cwd: '/' });
      expect(JSON.parse(stdout).findings).toContainEqual(
        expect.objectContaining({ check: 'store', level: 'ok' }),
      );
      await server.close();
      expect(server.program.stderr).not.toMatch(/NOPERM|doesn't let/);
    }
    const moved = await runTailrace(['migrate', '--from', urlOf(redis, '/3'), '--to', dataFolderForTest()]);
    expect(moved).toMatchObject({ status: 0 });
    expect(await redis.command('acl', 'log')).toEqual([]);

    const used = [...String(await redis.command('info', 'commandstats')).matchAll(/^cmdstat_([^:]+):/gm)];
    expect(used.map(([, name]) => `+${name}`)).toEqual(
      expect.arrayContaining(RULES.filter((rule) => rule.startsWith('+'))),
    );
  });

  it('that are taken away: a start says so, running servers ask to wait, and doctor knows', async () => {
    const redis = await redisForTest();
    const server = await startServerForTest({ env: { REDIS_URL: urlOf(redis) } });
    const app = await server.createApp();
    await pushLines(server, app.token, ['before']);
    await redis.command('acl', 'setuser', 'tailrace', '-eval', '-evalsha');
    const refused = await postLogs(server, app.token, logplexBody(['refused']));
    expect(refused.status).toBe(503);
    expect(refused.text).toContain("Redis doesn't let the user in REDIS_URL");
    await sendOverTcp(server.syslogPort, `${logplexLine('waits', app.token)}\n`);

    const text = "Redis doesn't let the user in REDIS_URL do all that is needed: give it +eval +evalsha with";
    const doctor = await runTailrace(['doctor', '--json'], { env: server.env, cwd: '/' });
    expect(doctor.status).toBe(1);
    expect(JSON.parse(doctor.stdout).findings).toContainEqual(
      expect.objectContaining({ check: 'store', level: 'trouble', text: expect.stringContaining(text) }),
    );
    const second = spawnServer(dataFolderForTest(), { env: { REDIS_URL: urlOf(redis) } });
    onTestFinished(() => void second.stop('SIGKILL'));
    const { status, stderr } = await second.exited;
    expect(status).toBe(1);
    expect(stderr).toMatch(/^ › {3}Error: [^\n]+\.\n$/);
    expect(stderr).toContain(text);

    await redis.command('acl', 'setuser', 'tailrace', '+eval', '+evalsha');
    await until('lines are taken again', async () => (await server.readMessages(app)).includes('waits'));
    await pushLines(server, app.token, ['after']);
    expect(await server.readMessages(app)).toEqual(['before', 'waits', 'after']);
  });
});
