/** Ports of rules that are in use: one warning, and retries. */
import { rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SILENT_LOG } from '../../../../src/common/log.ts';
import { AppReports } from '../../../../src/logs/router/app-reports.ts';
import { LogRouter } from '../../../../src/logs/router/log-router.ts';
import { RateLimiter } from '../../../../src/logs/router/rate-limiter.ts';
import { ruleKey, SourceRules } from '../../../../src/logs/router/source-rules.ts';
import { ConnectionLimiter } from '../../../../src/logs/sources/connection-limiter.ts';
import { createListenerCounters } from '../../../../src/logs/sources/listener-counters.ts';
import { DatagramMemory } from '../../../../src/logs/sources/syslog/datagram-sender.ts';
import { RulePortListeners } from '../../../../src/logs/sources/syslog/rule-port-listeners.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { connectTcp } from '../../../support/senders/send-lines.ts';
import { temporaryFolder } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

const APP = '00000000-0000-4000-8000-000000000001' as AppId;
const NO_RATE = { lines: undefined, bytes: undefined };

let folder = '';
let store: EmbeddedStore;
let holder: Server;
let port = 0;
let warnings: { fields: object; message: string }[] = [];
let closers: (() => unknown)[] = [];
beforeEach(async () => {
  folder = temporaryFolder();
  store = new EmbeddedStore({
    folder,
    retention: { lines: 1e9, bytes: 1e9, ageMs: 1e12 },
    durability: 'process',
  });
  holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const address = holder.address();
  port = typeof address === 'object' && address ? address.port : 0;
  warnings = [];
  closers = [];
});
afterEach(async () => {
  for (const close of closers) await close();
  await store.close();
  holder.close();
  rmSync(folder, { recursive: true });
});

/** Follows the rules of the store, as a server that has just started does. */
async function follow(retryMs: number): Promise<RulePortListeners> {
  const rules = new SourceRules(store);
  await rules.load();
  const log = {
    ...SILENT_LOG,
    warn: (fields: object, message: string): void => void warnings.push({ fields, message }),
  };
  const router = new LogRouter(store, { pendingBytesMax: 1e6, onAppendFailed: () => {} });
  const rateLimiter = new RateLimiter({
    token: NO_RATE,
    app: NO_RATE,
    limits: store.limits,
    logToApp: () => {},
  });
  const connectionLimiter = new ConnectionLimiter({
    connectionsMax: 9,
    idleMs: 1e6,
    frameMs: 1e6,
    partialBytesMax: 1e6,
    log,
  });
  const rulePorts = new RulePortListeners({
    listenOptions: {
      host: '127.0.0.1',
      router,
      rules,
      rateLimiter,
      connectionLimiter,
      datagramMemory: new DatagramMemory(),
      miscountReports: new AppReports(() => {}),
      oversizeReports: new AppReports(() => {}),
      proxyProtocol: false,
      log,
    },
    counters: { tcp: createListenerCounters('tcp'), udp: createListenerCounters('udp') },
    reservedPorts: new Set(),
    appName: async () => 'shop',
    retryMs,
  });
  closers.push(
    () => rulePorts.close(),
    () => connectionLimiter.close(),
    () => rateLimiter.close(),
    () => router.close(100),
  );
  await rulePorts.start();
  return rulePorts;
}

async function addRule(id: string, conditions: object): Promise<void> {
  const value = { id, app: APP, source: 'x', ...conditions, createdAt: '2026-01-01T00:00:00Z' };
  await store.transact('', [{ key: ruleKey(id), value }]);
}

const isOpen = (): Promise<boolean> =>
  connectTcp(port).then(
    (socket) => {
      socket.destroy();
      return true;
    },
    () => false,
  );

it.each([
  ['after a while', 50, async () => {}],
  ['when rules change', 1e6, () => addRule('other', { tag: 'other' })],
])('one that was in use at the start is warned of once, and retried %s', async (_when, retryMs, change) => {
  await addRule('mine', { port });
  const ports = await follow(retryMs);
  expect(warnings).toEqual([
    {
      fields: { port, app: 'shop', rule: 'mine' },
      message: `port ${port}, which a rule of the app shop names, is taken: free it (it is tried again every minute), or remove the rule with \`tailrace sources:remove mine -a shop\``,
    },
  ]);
  await expect(ports.requirePort(port)).rejects.toMatchObject({ code: 'conflict' });
  await new Promise((resolve) => holder.close(resolve));
  await change();
  await until('the port', isOpen);
  await until('the second warning', () => warnings.length === 2);
  expect(warnings[1].message).toBe(`port ${port}, which a rule names, is listened on now`);
  await ports.requirePort(port);
});
