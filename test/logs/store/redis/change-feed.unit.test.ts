/** In which order notifications come, which no server can be told. */
import { expect, it, onTestFinished } from 'vitest';
import { ChangeFeed } from '../../../../src/logs/store/redis/change-feed.ts';
import type { RedisConnection } from '../../../../src/logs/store/redis/connection/connection.ts';
import { appendChannel } from '../../../../src/logs/store/redis/keys.ts';
import { RedisRecords } from '../../../../src/logs/store/redis/records.ts';
import { newAppId } from '../../../support/batches.ts';

const ORIGIN = 'me';

it('a notification that comes when nobody follows the stream any more is of one that may be gone', () => {
  let notify: (channel: string, message: string) => void = () => {};
  const connection = {
    onMessage: (listener: typeof notify) => (notify = listener),
    onConnect: () => {},
    isConnected: false,
    subscribe: async () => {},
    unsubscribe: async () => {},
  } as unknown as RedisConnection;
  const feed = new ChangeFeed({ connection, records: new RedisRecords(connection, ORIGIN), origin: ORIGIN });
  onTestFinished(() => feed.close());
  const app = newAppId();
  const unsubscribe = feed.subscribe(app, () => {});
  notify(appendChannel(app), `${ORIGIN} 1`);
  expect(feed.newestSeen(app)).toBe(1);
  notify(appendChannel(app), 'another 2');
  expect(feed.newestSeen(app)).toBe(2);
  unsubscribe();
  expect(feed.newestSeen(app)).toBe(0);
  notify(appendChannel(app), `${ORIGIN} 2`);
  notify(appendChannel(app), 'another 3');
  expect(feed.newestSeen(app)).toBe(0);
});
