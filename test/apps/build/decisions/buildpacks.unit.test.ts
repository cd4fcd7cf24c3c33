/** What buildpacks are named by, where apps name them, and what their programs print. */
import { describe, expect, it } from 'vitest';
import { parseBuildpackReference } from '../../../../src/apps/build/buildpacks/buildpack-reference.ts';
import { parseDefaultProcessTypes } from '../../../../src/apps/build/buildpacks/default-process-types.ts';
import {
  buildpacksOfAppJson,
  parseBuildpacksFile,
} from '../../../../src/apps/build/buildpacks/listed-buildpacks.ts';
import { stackFor } from '../../../../src/apps/build/buildpacks/stack.ts';

describe('a buildpack is named', () => {
  it.each([
    ['heroku/nodejs', { kind: 'built-in', id: 'heroku/nodejs' }],
    [' python ', { kind: 'built-in', id: 'heroku/python' }],
    ['urn:buildpack:heroku/go', { kind: 'built-in', id: 'heroku/go' }],
    [
      'https://buildpack-registry.s3.amazonaws.com/buildpacks/heroku/ruby.tgz',
      { kind: 'built-in', id: 'heroku/ruby' },
    ],
    [
      'https://codon-buildpacks.s3.amazonaws.com/buildpacks/heroku/python.tgz',
      { kind: 'built-in', id: 'heroku/python' },
    ],
    ['heroku-community/static', { kind: 'built-in', id: 'tailrace/static' }],
    [
      'heroku/java',
      {
        kind: 'archive',
        id: 'heroku/java',
        url: 'https://buildpack-registry.s3.amazonaws.com/buildpacks/heroku/java.tgz',
      },
    ],
    [
      'https://github.com/heroku/heroku-buildpack-nodejs',
      { kind: 'git', url: 'https://github.com/heroku/heroku-buildpack-nodejs', ref: '' },
    ],
    ['https://github.com/a/b.git#v1.2', { kind: 'git', url: 'https://github.com/a/b.git', ref: 'v1.2' }],
    ['git@github.com:a/b.git#feature/x', { kind: 'git', url: 'git@github.com:a/b.git', ref: 'feature/x' }],
    ['ssh://git@example.com/a/b.git', { kind: 'git', url: 'ssh://git@example.com/a/b.git', ref: '' }],
    ['https://example.com/a.tgz', { kind: 'archive', url: 'https://example.com/a.tgz' }],
    [
      'https://example.com/a.tar.gz?token=x',
      { kind: 'archive', url: 'https://example.com/a.tar.gz?token=x' },
    ],
    ['/srv/buildpacks/mine', { kind: 'folder', path: '/srv/buildpacks/mine' }],
    ['file:///srv/mine.git#main', { kind: 'git', url: 'file:///srv/mine.git', ref: 'main' }],
  ])('as %j', (typed, reference) => {
    expect(parseBuildpackReference(typed)).toMatchObject(reference);
  });

  it.each([
    ['', /is no buildpack/],
    ['nodejs2', /is no buildpack: name one as heroku\/nodejs/],
    ['constructor', /is no buildpack/],
    ['http://example.com/a.git', /without encryption/],
    ['git://example.com/a.git', /without encryption/],
    ['ftp://example.com/a.tgz', /is no buildpack/],
    ['ext::sh -c evil', /is no buildpack/],
    ['ext::sh', /is no buildpack/],
    ['--upload-pack=evil', /is no buildpack/],
    ['https://example.com/a.git#--upload-pack=evil', /no branch, tag or commit/],
    ['-oProxyCommand=evil@host:x', /is no buildpack/],
    ['../../etc', /is no buildpack/],
    ['https://example.com/a\nb', /is no buildpack/],
    ['https://', /is no buildpack/],
  ])('not as %j', (typed, message) => {
    expect(() => parseBuildpackReference(typed)).toThrow(message);
  });

  it('and its password is never shown', () => {
    expect(() => parseBuildpackReference('http://me:secret@example.com/a.git')).toThrow(/^(?!.*secret)/);
  });
});

describe('an app names its own', () => {
  it('in .buildpacks', () => {
    expect(parseBuildpacksFile('# two\nheroku/nodejs\r\n\n  https://example.com/a.git#main\n')).toEqual([
      'heroku/nodejs',
      'https://example.com/a.git#main',
    ]);
  });

  it('in app.json', () => {
    expect(buildpacksOfAppJson({ buildpacks: [{ url: 'heroku/go' }] })).toEqual(['heroku/go']);
    expect(buildpacksOfAppJson({})).toEqual([]);
    for (const buildpacks of ['heroku/go', [{ name: 'x' }], [7], {}, null])
      expect(() => buildpacksOfAppJson({ buildpacks })).toThrow(/must be a list/);
  });
});

describe('bin/release', () => {
  it.each([
    [
      '---\ndefault_process_types:\n  web: bin/web -p $PORT\n  worker: "sleep 1"\n',
      { web: 'bin/web -p $PORT', worker: 'sleep 1' },
    ],
    [
      'config_vars:\n  A: b\ndefault_process_types:\r\n  # web\n\n  web: x\r\naddons:\n  - redis\n',
      { web: 'x' },
    ],
    ['--- {}\n', {}],
    ['default_process_types: {}\n', {}],
    ['', {}],
  ])('prints %j', (yaml, types) => {
    expect(parseDefaultProcessTypes(yaml)).toEqual(types);
  });
});

describe('STACK', () => {
  it.each([
    ['2.41', 'heroku-24'],
    ['2.39', 'heroku-24'],
    ['2.36', 'heroku-22'],
    ['2.35', 'heroku-22'],
    ['2.31', 'heroku-20'],
    [undefined, 'heroku-22'],
  ])('of a machine with glibc %s is %s', (glibc, stack) => {
    expect(stackFor(glibc)).toBe(stack);
  });
});
