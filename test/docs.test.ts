/** What the documentation says of settings and error codes is what the code has, and the code has nothing else. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Failure, failures } from '../src/apps/http-router/error-codes.ts';
import { FAILURE_ADVICE } from '../src/apps/http-router/error-pages.ts';
import { ERROR_CODES } from '../src/common/errors.ts';
import { PLATFORM_ERRORS } from '../src/common/platform-errors.ts';
import { runProgram } from './support/program.ts';

const ROOT = join(import.meta.dirname, '..');
/** Where the codes are declared; everywhere else they are used. */
const DECLARATIONS = ['common/errors.ts', 'common/platform-errors.ts', 'apps/http-router/error-codes.ts'];

const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.tsx?$/.test(path) && !DECLARATIONS.includes(path.replaceAll('\\', '/')))
  .map((path) => readFileSync(join(ROOT, 'src', path), 'utf8'));
const isUsed = (text: string): boolean => sources.some((source) => source.includes(text));
const found = (pattern: RegExp): string[] => [
  ...new Set(sources.flatMap((source) => [...source.matchAll(pattern)].map((match) => match[1]))),
];
const failureList: Failure[] = Object.values(failures);

describe('the documentation', () => {
  it('has the tables that are made from the code: settings, error codes', async () => {
    const args = [join(ROOT, 'scripts', 'docs.mjs'), '--check'];
    expect(await runProgram(process.execPath, args)).toMatchObject({ status: 0, stderr: '' });
  });

  it('has the template for rsyslog that is tested', () => {
    const text = (name: string): string => readFileSync(join(ROOT, name), 'utf8');
    const [template] = /string=".+"/.exec(text('docs/senders.md')) ?? [''];
    expect(text('docs/viewer.md')).toContain(template.replace('TOKEN', 't.…'));
  });

  it('names no code that there isn’t', () => {
    const known = [...Object.keys(PLATFORM_ERRORS), ...failureList.map(({ code }) => code)];
    const files = [
      'README.md',
      'CHANGELOG.md',
      ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`),
    ];
    const named = files
      .filter((name) => name.endsWith('.md'))
      .flatMap((name) => readFileSync(join(ROOT, name), 'utf8').match(/\b[HLR]\d\d\b/g) ?? []);
    expect(named.length).toBeGreaterThan(30);
    expect([...new Set(named)].filter((code) => !known.includes(code))).toEqual([]);
  });

  it('names tests that there are, for promises', () => {
    const tests = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' });
    const promises = readFileSync(join(ROOT, 'docs/reliability.md'), 'utf8').split('\n## ')[1];
    const named = [...promises.matchAll(/`([\w./-]+\.test\.ts)`/g)].map(([, name]) => name);
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((name) => !tests.some((test) => `/test/${test}`.endsWith(`/${name}`)))).toEqual([]);
  });

  it('names tests that there are, for every limit', () => {
    const text = readFileSync(join(ROOT, 'docs/limits.md'), 'utf8');
    const rows = text.split('\n').filter((line) => /^\| [^-]/.test(line) && !line.startsWith('| what '));
    expect(rows.length).toBeGreaterThan(25);
    for (const row of rows) {
      const named = (
        row
          .split('|')
          .at(-2)
          ?.match(/`[^`]+`/g) ?? []
      ).map((name) => name.slice(1, -1));
      expect(named, row).not.toEqual([]);
      for (const name of named)
        expect(
          [`${name}.test.ts`, `${name}.unit.test.ts`].some((file) => existsSync(join(ROOT, 'test', file))),
          name,
        ).toBe(true);
    }
  });

  it('says of every dependency why it is there; none of those that are installed runs a script', () => {
    const [bundled, installed] = readFileSync(join(ROOT, 'docs/dependencies.md'), 'utf8')
      .split('## What installing brings')
      .map((part) =>
        [...part.matchAll(/^\| (`.*?`) +\|/gm)].flatMap(([, names]) =>
          [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
        ),
      );
    const json = (file: string) => JSON.parse(readFileSync(join(ROOT, file), 'utf8'));
    const { dependencies, devDependencies, optionalDependencies } = json('package.json');
    const inBundle = json('dist/bundle/packages.json');
    const ours = Object.keys(devDependencies).filter((name) => name in inBundle);
    expect(bundled).toEqual([...ours, ...Object.keys(dependencies)].sort());
    const platforms = Object.keys(optionalDependencies).filter((name) => name.startsWith('@lmdb/lmdb-'));
    const others = Object.keys(optionalDependencies).filter((name) => !platforms.includes(name));
    expect(installed).toEqual(['@lmdb/lmdb-…', ...Object.keys(dependencies), ...others]);
    const lock: [string, { dev?: boolean; hasInstallScript?: boolean }][] = Object.entries(
      json('package-lock.json').packages,
    );
    expect(lock.filter(([path, { dev, hasInstallScript }]) => path && !dev && hasInstallScript)).toEqual([]);
    // `lmdb` in the bundle and its binary are of one version.
    const { version, optionalDependencies: binaries } = json('node_modules/lmdb/package.json');
    expect(inBundle.lmdb).toBe(version);
    expect(binaries).toEqual(Object.fromEntries(platforms.map((name) => [name, optionalDependencies[name]])));
  });
});

describe('the code', () => {
  it('uses every id of an error, and no other', () => {
    const ids = Object.keys(ERROR_CODES);
    expect(ids.filter((id) => !isUsed(`'${id}'`))).toEqual([]);
    const used = [...found(/new TailraceError\(\s*'(\w+)'/g), ...found(/\{ id: '(\w+)', message/g)];
    expect(used.length).toBeGreaterThan(15);
    expect(used.filter((id) => !ids.includes(id))).toEqual([]);
  });

  it('uses every code of lines in a stream, by its declaration', () => {
    expect(Object.keys(PLATFORM_ERRORS).filter((code) => !isUsed(`'${code}'`))).toEqual([]);
    expect(found(/^[^/*\n]*['"`]Error ([A-Z]\d\d)\b/gm)).toEqual([]);
  });

  it('uses every failure of the HTTP router, and has advice for each', () => {
    expect(Object.keys(failures).filter((name) => !isUsed(`failures.${name}`))).toEqual([]);
    expect(Object.keys(FAILURE_ADVICE)).toEqual([...new Set(failureList.map(({ code }) => code))]);
  });
});
