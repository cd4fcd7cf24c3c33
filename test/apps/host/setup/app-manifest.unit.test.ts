import { describe, expect, it } from 'vitest';
import { manifestConfig, parseAppManifest } from '../../../../src/apps/host/setup/app-manifest.ts';

const parse = (json: unknown, environment?: string) => parseAppManifest(JSON.stringify(json), environment);

describe('app.json', () => {
  it('gives config vars, formation, add-ons and scripts', () => {
    const manifest = parse({
      name: 'Shop',
      env: {
        PLAIN: 'x',
        NUMBER: 5,
        SECRET: { generator: 'secret' },
        ASKED: { description: 'who pays' },
        OPTIONAL: { required: false },
        GIVEN: { value: 'from the file' },
      },
      formation: { web: { quantity: 2, size: 'standard-1x' }, worker: {} },
      addons: ['heroku-redis', { plan: 'heroku-postgresql:mini', as: 'DB' }],
      buildpacks: [{ url: 'heroku/nodejs' }],
      scripts: { postdeploy: 'node seed.js', 'pr-predestroy': { command: 'node bye.js' } },
    });
    expect(manifest).toMatchObject({
      counts: { web: 2, worker: 1 },
      sizes: { web: 'standard-1x' },
      addons: [{ plan: 'heroku-redis' }, { plan: 'heroku-postgresql:mini', as: 'DB' }],
      postdeploy: 'node seed.js',
      predestroy: 'node bye.js',
      notes: [],
    });
    const { config, missing } = manifestConfig(manifest.env, { GIVEN: 'mine' });
    expect(config).toEqual({ PLAIN: 'x', NUMBER: '5', SECRET: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(missing).toEqual(['ASKED']);
    expect(manifestConfig(manifest.env, {}).config.SECRET).not.toBe(config.SECRET);
  });

  it('has an older form of the formation, and environments', () => {
    expect(parse({ formation: [{ process: 'web', quantity: 0 }] }).counts).toEqual({ web: 0 });
    const json = {
      env: { A: '1', B: '2' },
      addons: ['redis'],
      environments: { review: { env: { A: 'r' }, addons: [] } },
    };
    expect(parse(json, 'review')).toMatchObject({ env: { A: { value: 'r' } }, addons: [] });
    expect(Object.keys(parse(json, 'review').env)).toEqual(['A']);
    expect(Object.keys(parse(json).env)).toEqual(['A', 'B']);
  });

  it('says what is left out', () => {
    expect(
      parse({
        stack: 'heroku-24',
        image: 'x',
        colour: 'red',
        scripts: { test: 'npm test', other: 'x' },
        addons: [{ plan: 'redis', options: { a: 1 } }],
      }).notes,
    ).toEqual([
      expect.stringMatching(/^"stack" is left out/),
      expect.stringMatching(/^"image" is left out/),
      expect.stringMatching(/^"colour" is left out/),
      expect.stringMatching(/^"scripts.test" is left out: no tests/),
      expect.stringMatching(/^"scripts.other" is left out/),
      expect.stringMatching(/^"options" of the add-on redis are left out/),
    ]);
  });

  it.each([
    ['{', /it is no JSON/],
    ['[]', /it must be an object/],
    ['null', /it must be an object/],
    ['{"env":[]}', /"env" must be an object/],
    ['{"env":{"A":null}}', /"env.A" must be an object/],
    ['{"env":{"A":["x"]}}', /"env.A" must be an object/],
    ['{"env":{"A":{"value":{}}}}', /"env.A.value" must be text/],
    ['{"env":{"A":{"generator":"uuid"}}}', /"env.A.generator" is "uuid"/],
    ['{"env":{"A":{"required":"no"}}}', /"env.A.required" must be true or false/],
    ['{"formation":{"web":2}}', /"formation.web" must be an object/],
    ['{"formation":{"web":{"quantity":"2"}}}', /"formation.web.quantity" must be a number/],
    ['{"formation":{"web":{"quantity":-1}}}', /from 0 to 100/],
    ['{"addons":"redis"}', /"addons" must be a list/],
    ['{"addons":[{}]}', /has no "plan"/],
    ['{"scripts":{"postdeploy":[]}}', /"scripts.postdeploy" must be a command/],
    ['{"scripts":"x"}', /"scripts" must be an object/],
  ])('%s is refused', (text, sentence) => {
    expect(() => parseAppManifest(text)).toThrow(sentence);
  });

  it('an environment that it has not is refused', () => {
    expect(() => parse({ environments: { test: {} } }, 'review')).toThrow(/no "review"; there are: test/);
    expect(() => parse({}, 'constructor')).toThrow(/there are: none/);
  });
});
