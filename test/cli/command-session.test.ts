import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTailrace, runTailraceAlone } from '../support/program.ts';
import { type Server, startServer } from '../support/server.ts';

/** What most tests run in a process that stays: one behind the other, so that each finds what the others have left in it. */
const COMMANDS: readonly (readonly string[])[] = [
  ['--version'],
  ['help', 'logs'],
  ['nothing-such'],
  ['logs', '--nothing-such', '-a', 'shop'],
  ['apps'],
  ['config:set', 'A=ä', '-a', 'shop', '--json'],
  ['config', '-a', 'shop'],
  ['drains', '-a', 'nobody-has-it'],
  ['logs', '-a', 'shop', '-n', '0'],
  ['config:set', '-a', 'shop'],
  ['completion', 'bash'],
  ['--version'],
];

describe('a command in a process that stays', () => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer();
    await server.createApp('shop');
  });
  afterAll(() => server?.close());

  it('says, and exits with, what it does in one of its own', async () => {
    for (const args of COMMANDS) {
      const options = { env: server.env };
      // Twice in its own: what one changes, both of the others find.
      await runTailraceAlone(args, options);
      const alone = await runTailraceAlone(args, options);
      expect({ args, ...(await runTailrace(args, options)) }).toEqual({ args, ...alone });
    }
  });

  it('has the environment and the folder that it was given, and no other', async () => {
    const wrong = { TAILRACE_URL: 'http://127.0.0.1:9', TAILRACE_API_KEY: 'x' };
    expect((await runTailrace(['apps'], { env: wrong })).stderr).toContain('ECONNREFUSED');
    expect((await runTailrace(['apps'], { env: server.env })).stdout).toContain('shop');
    const nowhere = ['config:set', '-a', 'shop', '--file', 'package.json'];
    const [here, there] = await Promise.all([
      runTailraceAlone(nowhere, { env: server.env, cwd: '/' }),
      runTailrace(nowhere, { env: server.env, cwd: '/' }),
    ]);
    expect(there).toEqual(here);
  });
});
