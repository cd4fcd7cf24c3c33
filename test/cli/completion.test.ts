import { describe, expect, it } from 'vitest';
import { runProgram, runTailrace } from '../support/program.ts';

describe('tailrace completion', () => {
  it('completes commands in bash, also after a colon', async () => {
    const { stdout: script } = await runTailrace(['completion', 'bash']);
    const complete = async (line: string): Promise<string[]> => {
      const ask = `${script}\nCOMP_LINE='${line}'; COMP_POINT=\${#COMP_LINE}; _tailrace; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout } = await runProgram('bash', ['-c', ask]);
      return stdout.split('\n').filter((word) => word !== '');
    };
    expect(await complete('tailrace rollb')).toEqual(['rollback']);
    expect(await complete('tailrace config:')).toEqual(expect.arrayContaining(['set', 'get', 'unset']));
    expect(await complete('tailrace logs -')).toEqual([]);
  });

  it('lists the supported shells', async () => {
    const { stderr, status } = await runTailrace(['completion', 'tcsh']);
    expect(stderr).toMatch(/Allowed choices are bash, zsh, fish/);
    expect(status).toBe(1);
  });
});
