import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runProgram } from '../../support/program.ts';
import { dataFolderForTest } from '../../support/server.ts';

const LOADER = join(process.cwd(), 'dist', 'bundle', 'load-program.js');

/** A bundle of two parts; its program prints what the second one says. */
function makeBundle(): string {
  const folder = dataFolderForTest();
  mkdirSync(join(folder, 'parts'));
  writeFileSync(
    join(folder, 'parts', 'main.js'),
    `const { join } = require('node:path');
     const load = () => Promise.resolve().then(() => require('./said.js'));
     Promise.all([load(), load()]).then(([{ said }, again]) => {
       console.log(said(), again.said === said, join(__dirname, '..') === ${JSON.stringify(folder)});
     });`,
  );
  write(folder, 'one');
  return folder;
}

function write(folder: string, said: string): void {
  writeFileSync(join(folder, 'parts', 'said.js'), `exports.said = () => '${said}';`);
}

async function start(folder: string): Promise<string> {
  const code = `require(${JSON.stringify(LOADER)}).loadProgram(${JSON.stringify(folder)}, 'main.js')`;
  const { status, stdout, stderr } = await runProgram(process.execPath, ['-e', code]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

/** What was kept of a part. */
function kept(folder: string, part: string): string {
  const [tag, ...others] = readdirSync(join(folder, 'cache'));
  expect(others).toEqual([]);
  return join(folder, 'cache', tag, part);
}

describe('a program of the bundle', () => {
  it('keeps what was compiled, and takes it again', async () => {
    const folder = makeBundle();
    expect(await start(folder)).toBe('one true true\n');
    const file = kept(folder, 'said.js');
    expect(readdirSync(join(file, '..')).sort()).toEqual(['main.js', 'said.js']);
    const { ino } = statSync(file);
    expect(await start(folder)).toBe('one true true\n');
    expect(statSync(file).ino).toBe(ino);
  });

  it('takes nothing that is damaged, cut off, or of other source of the same length', async () => {
    const folder = makeBundle();
    await start(folder);
    const file = kept(folder, 'said.js');
    const whole = readFileSync(file);
    const changed = Buffer.from(whole);
    changed[whole.length - 20] ^= 1;
    for (const damaged of [changed, whole.subarray(0, -1), whole.subarray(0, 7), Buffer.alloc(0)]) {
      writeFileSync(file, damaged);
      expect(await start(folder)).toBe('one true true\n');
      expect(readFileSync(file)).not.toEqual(damaged);
    }
    write(folder, 'two');
    expect(await start(folder)).toBe('two true true\n');
    expect(await start(folder)).toBe('two true true\n');
  });

  it('starts where nothing can be kept', async () => {
    const folder = makeBundle();
    // As a folder that may not be written to is for everybody but root.
    writeFileSync(join(folder, 'cache'), '');
    expect(await start(folder)).toBe('one true true\n');
    rmSync(join(folder, 'cache'));
    await start(folder);
    const file = kept(folder, 'said.js');
    rmSync(file);
    mkdirSync(join(file, 'in the way'), { recursive: true });
    expect(await start(folder)).toBe('one true true\n');
    expect(existsSync(join(file, 'in the way'))).toBe(true);
    expect(readdirSync(join(file, '..')).sort()).toEqual(['main.js', 'said.js']);
  });
});
