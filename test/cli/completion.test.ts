import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runProgram, runTailrace, TAILRACE } from '../support/program.ts';
import { startServerForTest, temporaryFolder } from '../support/server.ts';

describe('tailrace completion', () => {
  it('completes in bash: commands, also after a colon, options, what the server knows, and files', async () => {
    const server = await startServerForTest();
    await server.createApp('shop');
    await server.createApp('blog');
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'tailrace'), `#!/bin/sh\nexec '${process.execPath}' '${TAILRACE}' "$@"\n`);
    chmodSync(join(folder, 'tailrace'), 0o755);
    const env = { ...server.env, PATH: `${folder}:${process.env.PATH}` };
    const { stdout: script } = await runTailrace(['completion', 'bash']);
    const complete = async (line: string, more: Record<string, string> = {}): Promise<string[]> => {
      const ask = `${script}
compopt() { echo "compopt $*"; }
COMP_LINE='${line}'; COMP_POINT=\${#COMP_LINE}; _tailrace; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout } = await runProgram('bash', ['-c', ask], { env: { ...env, ...more } });
      return stdout.split('\n').filter((word) => word !== '');
    };
    const [commands, afterColon, options, apps, named, away, files] = await Promise.all([
      complete('tailrace rollb'),
      complete('tailrace config:'),
      complete('tailrace logs --fo'),
      complete('tailrace logs -a '),
      complete('tailrace destroy s'),
      complete('tailrace logs -a ', { TAILRACE_URL: 'http://127.0.0.1:1' }),
      complete('tailrace start -f '),
    ]);
    expect(commands).toEqual(['rollback']);
    expect(afterColon).toEqual(expect.arrayContaining(['set', 'get', 'unset']));
    expect(options).toEqual(['--follow']);
    expect(apps).toEqual(['blog', 'shop']);
    expect(named).toEqual(['shop']);
    expect(away).toEqual([]);
    expect(files).toEqual(['compopt -o default']);
  });

  it('lists the supported shells', async () => {
    const { stderr, status } = await runTailrace(['completion', 'tcsh']);
    expect(stderr).toMatch(/Allowed choices are bash, zsh, fish/);
    expect(status).toBe(1);
  });
});
