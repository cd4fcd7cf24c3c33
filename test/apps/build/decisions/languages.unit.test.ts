/** Languages without a build of their own, and what go.mod and Gemfile.lock say. */
import { describe, expect, it } from 'vitest';
import { parseGemfileLock, rubyProcessTypes } from '../../../../src/apps/build/languages/gemfile.ts';
import { goBinaryName, isGoAtLeast, parseGoMod } from '../../../../src/apps/build/languages/go-mod.ts';
import { refuseUnsupported, unknownAppSentence } from '../../../../src/apps/build/languages/unsupported.ts';

describe('an app that isn’t built here is refused with what to do', () => {
  it.each([
    [
      ['pom.xml', 'Procfile'],
      /^This is Java \(pom\.xml\), .*buildpacks:set heroku\/java\b.*buildpacks:set tailrace\/procfile/,
    ],
    [['build.gradle.kts', 'Procfile'], /Gradle.*heroku\/gradle/],
    [['index.php'], /PHP \(index\.php\).*heroku\/php/],
    [['composer.json', 'Procfile'], /PHP/],
    [['mix.exs'], /Elixir/],
    [['Cargo.toml'], /Rust/],
    [['build.sbt'], /Scala/],
    [['Shop.csproj'], /\.NET \(Shop\.csproj\)/],
    [['deno.json'], /Deno/],
  ] as const)('%j', (files, message) => {
    expect(refuseUnsupported(new Set(files))).toMatch(message);
  });

  it('others aren’t refused', () => {
    expect(refuseUnsupported(new Set(['Procfile', 'run.sh', 'csproj', 'toString']))).toBeUndefined();
  });

  it.each([
    [[], /There are no files/],
    [['pyproject.toml'], /looks like Python/],
    [['Dockerfile'], /There is a Dockerfile/],
    [['README.md'], /No language is recognized, and there is no Procfile: add a Procfile/],
    [['procfile'], /There is a procfile, but its name must be Procfile: git mv procfile Procfile/],
    [['Procfile.txt'], /git mv Procfile.txt Procfile/],
  ] as const)('nor is anything else: %j', (files, message) => {
    expect(unknownAppSentence(new Set(files))).toMatch(message);
  });
});

describe('go.mod', () => {
  it('says its Go, and in comments what Heroku does', () => {
    expect(
      parseGoMod(
        'module example.com/shop\n\ngo 1.22.3\n// +heroku goVersion go1.21\n// +heroku install ./cmd/... ./web\n',
      ),
    ).toEqual({
      go: '1.22.3',
      herokuGo: '1.21',
      install: ['./cmd/...', './web'],
    });
    expect(parseGoMod('')).toEqual({ go: undefined, herokuGo: undefined, install: [] });
  });

  it('a Go is old or new enough', () => {
    expect(isGoAtLeast('1.19.8', '1.19')).toBe(true);
    expect(isGoAtLeast('1.19', '1.19.8')).toBe(false);
    expect(isGoAtLeast('1.9', '1.19')).toBe(false);
    expect(isGoAtLeast('2.0', '1.19')).toBe(true);
  });

  it.each([
    ['example.com/me/shop', 'shop'],
    ['example.com/me/shop/v2', 'shop'],
    ['shop', 'shop'],
    ['v2', 'v2'],
  ])('the program of %s is %s', (importPath, name) => {
    expect(goBinaryName(importPath)).toBe(name);
  });
});

describe('Gemfile.lock', () => {
  const lock = parseGemfileLock(
    'GEM\n  remote: https://rubygems.org/\n  specs:\n    rack (2.2.4)\n    railties (7.0.4)\n      rake (>= 12.2)\n    rake (13.0.6)\n\nRUBY VERSION\n   ruby 3.1.2p20\n\nBUNDLED WITH\n   2.3.15\n',
  );

  it('says the gems, Ruby and Bundler', () => {
    expect([...lock.gems]).toEqual(['rack', 'railties', 'rake']);
    expect(lock).toMatchObject({ ruby: '3.1.2', bundler: '2.3.15' });
  });

  it('and so how an app without a Procfile is run', () => {
    expect(Object.keys(rubyProcessTypes(lock, new Set(['Rakefile'])))).toEqual(['web', 'console', 'rake']);
    expect(rubyProcessTypes({ gems: new Set(['rack']) }, new Set(['config.ru'])).web).toMatch(/rackup/);
    expect(rubyProcessTypes({ gems: new Set(['tiny']) }, new Set())).toEqual({});
  });
});
