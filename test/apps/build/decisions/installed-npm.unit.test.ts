import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readNpmVersion } from '../../../../src/apps/build/nodejs/installed-npm.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tailrace-npm-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, text: string, mode = 0o644): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

/** A folder with an `npm` that is a link to one that is installed as npm's package is; returns it. */
function install(name: string, packageJson: string): string {
  const program = write(`${name}/lib/npm/bin/npm-cli.js`, '#!/usr/bin/env node\n', 0o755);
  write(`${name}/lib/npm/package.json`, packageJson);
  mkdirSync(join(root, name, 'bin'));
  symlinkSync(program, join(root, name, 'bin', 'npm'));
  return join(root, name, 'bin');
}

it('is what the package.json of the first npm on the PATH says', async () => {
  const one = install('one', '{"name":"npm","version":"11.2.3"}');
  const other = install('other', '{"name":"npm","version":"9.8.7"}');
  write('not-executable/npm', '');
  const path = (...folders: string[]): string => folders.join(':');
  expect(await readNpmVersion(path(one, other))).toBe('11.2.3');
  expect(await readNpmVersion(path(other, one))).toBe('9.8.7');
  expect(await readNpmVersion(path(join(root, 'nowhere'), join(root, 'not-executable'), one))).toBe('11.2.3');
});

it.each([
  ['one of another package', '{"name":"corepack","version":"0.1.0"}'],
  ['one without a version', '{"name":"npm"}'],
  ['one whose version is no text', '{"name":"npm","version":7}'],
  ['one whose package.json is broken', '{"name":"npm",'],
])('isn’t known of %s, whatever comes behind it on the PATH', async (_, packageJson) => {
  const one = install('one', packageJson);
  const other = install('other', '{"name":"npm","version":"9.8.7"}');
  expect(await readNpmVersion(`${one}:${other}`)).toBe(undefined);
});

it('isn’t known of a wrapper, of a folder of the app, and where there is none', async () => {
  const other = install('other', '{"name":"npm","version":"9.8.7"}');
  write('wrapper/npm', '#!/bin/sh\nexec /opt/npm "$@"\n', 0o755);
  expect(await readNpmVersion(`${join(root, 'wrapper')}:${other}`)).toBe(undefined);
  expect(await readNpmVersion(`node_modules/.bin:${other}`)).toBe(undefined);
  expect(await readNpmVersion(`:${other}`)).toBe(undefined);
  expect(await readNpmVersion(root)).toBe(undefined);
  expect(await readNpmVersion('')).toBe(undefined);
});
