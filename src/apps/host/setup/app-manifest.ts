/**
 * `app.json`: what an app wants to have beside its files, in Heroku's schema. Pure: what is in it, and sentences about what isn't
 * done here.
 */

import { randomBytes } from 'node:crypto';
import { TailraceError } from '../../../common/errors.ts';
import { isJsonObject, type JsonObject, scalarText } from '../../../common/json-object.ts';
import { assertJsonWithinLimits, RESOURCE_JSON_LIMITS } from '../../../common/limits/json-scanner.ts';
import { ownValue } from '../../../common/own-value.ts';

interface ManifestVariable {
  /** Undefined: whoever makes the app gives it. */
  readonly value: string | undefined;
  readonly isRequired: boolean;
  readonly isGenerated: boolean;
  readonly description: string;
}

export interface ManifestAddon {
  readonly plan: string;
  /** The name of its attachment. */
  readonly as: string | undefined;
}

export interface AppManifest {
  readonly env: Readonly<Record<string, ManifestVariable>>;
  readonly counts: Readonly<Record<string, number>>;
  readonly sizes: Readonly<Record<string, string>>;
  readonly addons: readonly ManifestAddon[];
  /** Runs once, behind the first release. */
  readonly postdeploy: string | undefined;
  /** Runs once, before the app is destroyed. */
  readonly predestroy: string | undefined;
  /** A sentence for each thing in it that isn't done here. */
  readonly notes: readonly string[];
}

/** They say something to people, and to nobody else. */
const INFORMATION = [
  '$schema',
  'name',
  'description',
  'keywords',
  'website',
  'repository',
  'logo',
  'success_url',
];
/** What a build reads for itself. */
const READ_ELSEWHERE = ['buildpacks'];
const READ_HERE = ['env', 'formation', 'addons', 'scripts', 'environments'];

const NOTES: Readonly<Record<string, string>> = {
  image: '"image" is left out: dynos run on what this machine has.',
  stack: '"stack" is left out: there is one stack, this machine.',
  'scripts.test': '"scripts.test" is left out: no tests are run here.',
  'scripts.test-setup': '"scripts.test-setup" is left out: no tests are run here.',
};

/**
 * @param environment a part of `environments` that stands for what is outside of it, such as `review`
 * @throws TailraceError `invalid_params` with what can't be read; `bad_request`, `too_large` for too much JSON
 */
export function parseAppManifest(text: string, environment?: string): AppManifest {
  let json: unknown;
  assertJsonWithinLimits(Buffer.from(text), RESOURCE_JSON_LIMITS);
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw invalid(`it is no JSON (${error instanceof Error ? error.message : error})`);
  }
  const whole = requireObject(json, 'it');
  const environments = requireObject(whole.environments ?? {}, '"environments"');
  if (environment !== undefined && !Object.hasOwn(environments, environment))
    throw invalid(
      `"environments" has no "${environment}"; there are: ${Object.keys(environments).join(', ') || 'none'}`,
    );
  const overrides =
    environment === undefined
      ? {}
      : requireObject(environments[environment], `"environments.${environment}"`);
  const manifest = { ...whole, ...overrides };
  const notes = Object.keys(manifest)
    .filter((key) => ![...INFORMATION, ...READ_ELSEWHERE, ...READ_HERE].includes(key))
    .map((key) => ownValue(NOTES, key) ?? `"${key}" is left out: app.json of Heroku has no such key.`);
  const { postdeploy, predestroy } = parseScripts(manifest.scripts, notes);
  return {
    env: parseEnv(manifest.env),
    ...parseFormation(manifest.formation),
    addons: parseAddons(manifest.addons, notes),
    postdeploy,
    predestroy,
    notes,
  };
}

/**
 * The config vars that a manifest gives an app.
 * @param given by whoever makes the app, or what the app has already: they win
 * @returns those to set, and the names of required ones that nobody gave
 */
export function manifestConfig(
  env: AppManifest['env'],
  given: Readonly<Record<string, string>>,
): { config: Record<string, string>; missing: string[] } {
  const entries = Object.entries(env).filter(([name]) => !Object.hasOwn(given, name));
  const config = entries.flatMap(([name, { value, isGenerated }]): [string, string][] => {
    if (isGenerated) return [[name, randomBytes(32).toString('hex')]];
    return value === undefined ? [] : [[name, value]];
  });
  const missing = entries
    .filter(([, { value, isGenerated, isRequired }]) => isRequired && !isGenerated && value === undefined)
    .map(([name]) => name);
  return { config: Object.fromEntries(config), missing };
}

function parseEnv(json: unknown): AppManifest['env'] {
  return Object.fromEntries(
    Object.entries(requireObject(json ?? {}, '"env"')).map(([name, entry]) => {
      if (typeof entry !== 'object')
        return [
          name,
          { value: scalar(entry, `env.${name}`), isRequired: true, isGenerated: false, description: '' },
        ];
      const { value, required, generator, description } = requireObject(entry, `"env.${name}"`);
      if (generator !== undefined && generator !== 'secret')
        throw invalid(`"env.${name}.generator" is ${JSON.stringify(generator)}, and can only be "secret"`);
      if (required !== undefined && typeof required !== 'boolean')
        throw invalid(`"env.${name}.required" must be true or false`);
      return [
        name,
        {
          value: value === undefined || value === null ? undefined : scalar(value, `env.${name}.value`),
          isRequired: required ?? true,
          isGenerated: generator === 'secret',
          description: typeof description === 'string' ? description : '',
        },
      ];
    }),
  );
}

function parseFormation(json: unknown): Pick<AppManifest, 'counts' | 'sizes'> {
  // The older form was a list.
  const entries: [string, unknown][] = Array.isArray(json)
    ? json.map((one) => [scalar(requireObject(one, '"formation"').process, 'formation.process'), one])
    : Object.entries(requireObject(json ?? {}, '"formation"'));
  const counts = new Map<string, number>();
  const sizes = new Map<string, string>();
  for (const [type, entry] of entries) {
    const { quantity = 1, size } = requireObject(entry, `"formation.${type}"`);
    if (!Number.isInteger(quantity) || Number(quantity) < 0 || Number(quantity) > 100)
      throw invalid(`"formation.${type}.quantity" must be a number from 0 to 100`);
    counts.set(type, Number(quantity));
    if (size !== undefined && size !== null) sizes.set(type, scalar(size, `formation.${type}.size`));
  }
  return { counts: Object.fromEntries(counts), sizes: Object.fromEntries(sizes) };
}

function parseAddons(json: unknown, notes: string[]): ManifestAddon[] {
  if (json === undefined || json === null) return [];
  if (!Array.isArray(json)) throw invalid('"addons" must be a list such as ["heroku-redis"]');
  return json.map((entry) => {
    if (typeof entry === 'string') return { plan: entry, as: undefined };
    const { plan, as, options } = requireObject(entry, '"addons"');
    if (typeof plan !== 'string') throw invalid('an add-on in "addons" has no "plan"');
    if (options !== undefined)
      notes.push(`"options" of the add-on ${plan} are left out: add-ons here have none.`);
    return { plan, as: typeof as === 'string' ? as : undefined };
  });
}

function parseScripts(json: unknown, notes: string[]) {
  const scripts = requireObject(json ?? {}, '"scripts"');
  const read = (name: string): string | undefined => {
    const script = scripts[name];
    // Heroku also has { "command": …, "size": … }.
    const command =
      typeof script === 'object' && script !== null && 'command' in script ? script.command : script;
    if (command === undefined) return undefined;
    if (typeof command !== 'string' || command.trim() === '')
      throw invalid(`"scripts.${name}" must be a command`);
    return command;
  };
  for (const name of Object.keys(scripts).filter((one) => !['postdeploy', 'pr-predestroy'].includes(one)))
    notes.push(ownValue(NOTES, `scripts.${name}`) ?? `"scripts.${name}" is left out: nothing runs it here.`);
  return { postdeploy: read('postdeploy'), predestroy: read('pr-predestroy') };
}

function scalar(value: unknown, name: string): string {
  const text = scalarText(value);
  if (text !== undefined) return text;
  throw invalid(`"${name}" must be text`);
}

function requireObject(json: unknown, name: string): JsonObject {
  if (isJsonObject(json)) return json;
  throw invalid(`${name} must be an object: { … }`);
}

function invalid(what: string): TailraceError {
  return new TailraceError('invalid_params', `app.json can't be used: ${what}.`);
}
