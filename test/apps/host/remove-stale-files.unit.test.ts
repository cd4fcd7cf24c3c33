import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { removeStaleFiles } from '../../../src/apps/host/remove-stale-files.ts';

it('a start leaves what apps have, and removes what nobody has any more', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const app = 'b0a3b7b5-3b0c-4b57-9e58-6a2b7f5e0d11';
  const gone = 'c1a3b7b5-3b0c-4b57-9e58-6a2b7f5e0d22';
  const kept = [`host/slugs/one.tgz`, `caches/${app}/x`, 'caches/tools/x', `repositories/${app}.git/HEAD`];
  const stale = [
    'uploads/source',
    'host/slugs/two.tgz',
    `caches/${gone}/x`,
    `repositories/${gone}.git/HEAD`,
    `repositories/${app}.${gone}/HEAD`,
    `repositories/${app}.git/objects/incoming-x1/pack`,
    `repositories/${app}.git/objects/tmp_objdir-incoming-x2/pack`,
  ];
  for (const path of [...kept, ...stale]) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), '');
  }
  await removeStaleFiles(folder, new Set([app]), new Set(['one']));
  expect([...kept, ...stale].filter((path) => existsSync(join(folder, path)))).toEqual(kept);
});
