import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runTailrace } from '../../support/program.ts';
import { dataFolderForTest, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

it('open --logs opens the web UI, with the app and the key in its URL', async () => {
  const app = await server.createApp();
  const folder = dataFolderForTest();
  const seen = join(folder, 'seen');
  writeFileSync(join(folder, 'xdg-open'), `#!/bin/sh\nprintf %s "$1" > '${seen}'\n`, { mode: 0o755 });
  writeFileSync(join(folder, 'open'), readFileSync(join(folder, 'xdg-open')), { mode: 0o755 });
  const env = { ...server.env, PATH: folder };
  const { status, stdout } = await runTailrace(['open', '--logs', '-a', app.name], { env });
  expect(status).toBe(0);
  const address = `${server.url}/?app=${app.name}#key=${server.key}`;
  expect(stdout).toBe(`${address}\n`);
  await until('the browser’s start', () => readIfThere(seen) === address);
});

it('serve prints the URL of the web UI, without the key where there is no terminal', async () => {
  const [, line] = await server.program.waitForOutput(/Live page: (.*)\n/);
  expect(line).toBe(`${server.url}/ (asks for the key of \`tailrace auth:token\`)`);
  expect(server.program.stdout).not.toContain(server.key);
});

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
