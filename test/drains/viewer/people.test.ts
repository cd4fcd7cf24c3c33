/** People of the viewer who are changed by two at once: the real records, in a folder of their own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCESS_SCOPE, type ViewerUser } from '../../../drains/viewer/access/access-records.ts';
import type { Role } from '../../../drains/viewer/access/grant.ts';
import { ViewerKeys } from '../../../drains/viewer/access/keys.ts';
import { hashOfSecret } from '../../../src/logs/access/secrets.ts';
import { Sessions } from '../../../src/logs/access/sessions.ts';
import { Users } from '../../../src/logs/access/users.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';

const PASSWORD = 'correct horse battery';

let folder: string;
let records: EmbeddedStore;
let users: Users<Role>;
let ada: ViewerUser;
let eve: ViewerUser;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tailrace-people-'));
  records = new EmbeddedStore({
    folder,
    retention: { lines: 1_000, bytes: 1e6, ageMs: 1e9 },
    durability: 'process',
  });
  users = new Users(records, ACCESS_SCOPE);
  ada = await users.createFirst((await users.firstRun())!, 'ada@example.com', PASSWORD);
  const { secret } = await users.invite({ role: 'owner', groups: {} }, 'ada', undefined);
  eve = await users.accept(secret, 'eve@example.com', PASSWORD);
});
afterAll(async () => {
  await records.close();
  rmSync(folder, { recursive: true, force: true });
});

const reasons = (results: readonly PromiseSettledResult<unknown>[]): string[] =>
  results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason.code)] : []));

it('with somebody who is removed go the keys and invitations that they made, and no others', async () => {
  const keys = new ViewerKeys(records, '');
  const { secret } = await users.invite({ role: 'owner', groups: {} }, 'ada', undefined);
  const mallory = await users.accept(secret, 'mallory@example.com', PASSWORD);
  for (const createdBy of ['mallory@example.com', 'ada@example.com']) {
    await keys.create({ name: 'a key', scope: 'read', createdBy });
    await users.invite({ role: 'reader', groups: {} }, createdBy, undefined);
  }
  await users.remove(mallory.id);
  expect((await keys.list()).map(({ createdBy }) => createdBy)).toEqual(['ada@example.com']);
  expect((await users.listInvites()).map(({ createdBy }) => createdBy)).toEqual(['ada@example.com']);
});

describe('two at once', () => {
  it('of two owners who take each other’s rights, one stays', async () => {
    const taken = [ada, eve].map(({ id }) => users.setRights(id, { role: 'reader', groups: {} }));
    expect(reasons(await Promise.allSettled(taken))).toEqual(['conflict']);
    const [owner, reader] = [...(await users.list())].sort((one) => (one.role === 'owner' ? -1 : 1));
    expect([owner.role, reader.role]).toEqual(['owner', 'reader']);
    await users.setRights(reader.id, { role: 'owner', groups: {} });
  });

  it('of two owners who remove each other, one stays, and the other one is told', async () => {
    const removed = [ada, eve].map(({ id }) => users.remove(id));
    expect(reasons(await Promise.allSettled(removed))).toEqual(['conflict']);
    expect((await users.list()).map(({ role }) => role)).toEqual(['owner']);
  });

  it('a session that is ended while its use is noted stays ended', async () => {
    const [owner] = await users.list();
    const sessions = new Sessions(records, ACCESS_SCOPE);
    const secret = await sessions.start(owner);
    const hash = hashOfSecret(secret);
    const key = `session/${hash}`;
    // Half of its time is over, so that its next use is noted.
    const { value } = (await records.get<{ expiresAt: string }>(ACCESS_SCOPE, key))!;
    const expiresAt = new Date(Date.now() + 15 * 86_400_000).toISOString();
    await records.transact(ACCESS_SCOPE, [{ key, value: { ...value, expiresAt } }]);
    const used = sessions.find(hash);
    await Promise.all([used, sessions.end(hash)]);
    expect(await sessions.find(hash)).toBeUndefined();
  });

  it('a session lasts from its last use, one of an identity provider from its start', async () => {
    const [owner] = await users.list();
    const sessions = new Sessions(records, ACCESS_SCOPE);
    const dayMs = 86_400_000;
    const expiryAfterUse = async (
      fixedMs: number | undefined,
      leftMs: number,
    ): Promise<number | undefined> => {
      const hash = hashOfSecret(await sessions.start(owner, fixedMs));
      const key = `session/${hash}`;
      const { value } = (await records.get<{ expiresAt: string }>(ACCESS_SCOPE, key))!;
      const expiresAt = new Date(Date.now() + leftMs).toISOString();
      await records.transact(ACCESS_SCOPE, [{ key, value: { ...value, expiresAt } }]);
      if (!(await sessions.find(hash))) return undefined;
      const found = await sessions.find(hash);
      return Math.round((Date.parse(found!.expiresAt) - Date.now()) / dayMs);
    };
    expect(await expiryAfterUse(undefined, 15 * dayMs)).toBe(30);
    expect(await expiryAfterUse(7 * dayMs, 3 * dayMs)).toBe(3);
    expect(await expiryAfterUse(7 * dayMs, 0)).toBeUndefined();
  });
});
