/**
 * An `addon-manifest.json`, as Heroku publishes its format ("Add-on Manifest"): how a partner's service is reached, and what it gives.
 * What Heroku keeps apart from it may stand in it here: `plans`.
 */

import { TailraceError } from '../../../../common/errors.ts';
import { isLoopbackHost } from '../../../../common/http/addresses.ts';
import { isJsonObject, type JsonObject, scalarText } from '../../../../common/json-object.ts';
import { hasHiddenCharacter } from '../../../../common/text/hidden-characters.ts';
import type { AddonPlan, CatalogService } from '../catalog/catalog-entry.ts';

/** What a service may ask for beyond its config vars. */
const PARTNER_FEATURES = ['log_input', 'syslog_drain', 'many_per_app', 'attachable'] as const;
export type PartnerFeature = (typeof PARTNER_FEATURES)[number];

/** Which of the manifest's addresses are used. */
export type PartnerEnvironment = 'production' | 'test';

/** What is kept of a manifest. Secrets: `password`, `ssoSalt`. */
export interface PartnerManifest {
  /** What is typed, and the user of Basic authentication: `errorbucket`. */
  readonly id: string;
  /** `Errorbucket` */
  readonly name: string;
  readonly environment: PartnerEnvironment;
  /** Where add-ons are made: `https://errorbucket.com/heroku/resources`. */
  readonly baseUrl: string;
  /** Where a user's browser is signed on. */
  readonly ssoUrl: string;
  readonly password: string;
  readonly ssoSalt: string;
  /** Of its config vars, without the underscore: `ERRORBUCKET`. */
  readonly prefix: string;
  /** By their whole names: `ERRORBUCKET_URL`. */
  readonly configVars: readonly string[];
  readonly regions: readonly string[];
  readonly requires: readonly PartnerFeature[];
  /** Empty: its manifest names none, and the service itself says which there are. */
  readonly plans: readonly AddonPlan[];
}

/** Also the name of its lines' source, which the names of the platform's own sources can't be. */
const ID = /^[a-z][a-z0-9-]{0,46}[a-z0-9]$/;
const RESERVED_IDS = new Set(['app', 'heroku']);
const PREFIX = /^[A-Z][A-Z0-9_]{0,98}$/;
const PLAN = /^[a-z0-9][a-z0-9._-]{0,98}$/;
const CONFIG_VARS_MAX = 100;
const PLANS_MAX = 200;
const TEXT_MAX = 500;
/** What a new add-on's plan is called at Heroku. */
const DEFAULT_PLAN: AddonPlan = { name: 'test', description: 'as its partner has it' };
/** What was at the end of every address when manifests had hosts alone. */
const RESOURCES_PATH = '/heroku/resources';

/**
 * @param environment whose addresses are used
 * @throws TailraceError `invalid_params` with a sentence for each thing that is wrong
 */
export function parsePartnerManifest(value: unknown, environment: PartnerEnvironment): PartnerManifest {
  if (!isJsonObject(value))
    throw new TailraceError(
      'invalid_params',
      'An addon-manifest.json is a JSON object with an id and an api.',
    );
  const problems: string[] = [];
  const api = isJsonObject(value.api) ? value.api : {};
  if (!isJsonObject(value.api))
    problems.push('api is missing: it has the password, the addresses and the config vars.');
  const id = readId(value.id, problems);
  const prefix = readPrefix(api.config_vars_prefix, id, problems);
  const version = api.version ?? '3';
  if (scalarText(version) !== '3')
    problems.push(
      `api.version is ${JSON.stringify(version)}: version "3" of the partner protocol is spoken here.`,
    );
  const manifest: PartnerManifest = {
    id,
    name: typeof value.name === 'string' && isPlainText(value.name) ? value.name : id,
    environment,
    ...readAddresses(api, environment, problems),
    password: readSecret(api.password, 'api.password', problems),
    ssoSalt: readSecret(api.sso_salt, 'api.sso_salt', problems),
    prefix,
    configVars: readConfigVars(api.config_vars, prefix, problems),
    regions: readRegions(api.regions, problems),
    requires: readRequires(api.requires, problems),
    plans: readPlans(value.plans ?? api.plans, problems),
  };
  if (problems.length > 0) throw new TailraceError('invalid_params', problems.join(' '));
  return manifest;
}

/** The service of a manifest, as the catalog has services. */
export function partnerService(manifest: PartnerManifest): CatalogService {
  const { id, name, baseUrl, prefix, configVars, plans, requires } = manifest;
  const { origin, host } = new URL(baseUrl);
  return {
    name: id,
    humanName: name,
    description: `${name}, a partner's service at ${host}`,
    provider: 'partner',
    spellings: {},
    prefix,
    configVars: Object.fromEntries(
      configVars.map((full) => {
        const suffix = full.slice(prefix.length + 1);
        return [suffix, suffix.toLowerCase()];
      }),
    ),
    namePrefix: id,
    process: id,
    plans: plans.length > 0 ? plans : [DEFAULT_PLAN],
    takesAnyPlan: plans.length === 0,
    isOnePerApp: !requires.includes('many_per_app'),
    isUnshared: !requires.includes('attachable'),
    docsUrl: origin,
    hasPage: true,
  };
}

function readId(value: unknown, problems: string[]): string {
  if (typeof value === 'string' && ID.test(value) && !RESERVED_IDS.has(value)) return value;
  problems.push(
    typeof value === 'string' && RESERVED_IDS.has(value)
      ? `id can't be "${value}": lines of the platform have that name.`
      : `id is ${quote(value)}: use 2 to 48 lowercase letters, digits and dashes, and a letter first, such as "errorbucket".`,
  );
  return typeof value === 'string' ? value : '';
}

function readPrefix(value: unknown, id: string, problems: string[]): string {
  const prefix = value ?? id.toUpperCase().replaceAll('-', '_');
  if (typeof prefix === 'string' && PREFIX.test(prefix) && !prefix.endsWith('_')) return prefix;
  // Of a bad id there is no good one.
  if (value !== undefined && value !== null)
    problems.push(
      `api.config_vars_prefix is ${quote(value)}: use capitals, digits and underscores, such as "ERRORBUCKET", without the last underscore.`,
    );
  return '';
}

function readSecret(value: unknown, where: string, problems: string[]): string {
  if (typeof value === 'string' && value !== '' && value.length <= TEXT_MAX && isPlainText(value))
    return value;
  problems.push(
    value === undefined || value === ''
      ? `${where} is missing: it is a secret that the partner knows, too.`
      : `${where} can't be used: it is a text of up to ${TEXT_MAX} characters, none of them invisible.`,
  );
  return '';
}

function readConfigVars(value: unknown, prefix: string, problems: string[]): readonly string[] {
  if (!isTexts(value) || value.length === 0 || value.length > CONFIG_VARS_MAX) {
    problems.push(
      `api.config_vars is ${Array.isArray(value) ? "a list that can't be used" : quote(value)}: name the 1 to ${CONFIG_VARS_MAX} config vars that the service gives.`,
    );
    return [];
  }
  if (prefix === '') return [];
  const wrong = value.filter(
    (name) => !name.startsWith(`${prefix}_`) || !/^[A-Z0-9_]{1,100}$/.test(name.slice(prefix.length + 1)),
  );
  if (wrong.length > 0)
    problems.push(
      `api.config_vars has ${wrong.map(quote).join(', ')}: each begins with ${prefix}_, and goes on with capitals, digits and underscores.`,
    );
  return [...new Set(value)];
}

function readRegions(value: unknown, problems: string[]): readonly string[] {
  if (isTexts(value) && value.length > 0 && value.every((one) => one !== '' && isPlainText(one)))
    return value;
  problems.push('api.regions names no region: write ["us"], ["eu"] or both.');
  return [];
}

function readRequires(value: unknown, problems: string[]): readonly PartnerFeature[] {
  if (value === undefined || value === null) return [];
  const list = isTexts(value) ? value : [quote(value)];
  const unknown = list.filter((one) => !(PARTNER_FEATURES as readonly string[]).includes(one));
  if (unknown.length > 0)
    problems.push(
      `api.requires has ${unknown.join(', ')}, which isn't there: there are ${PARTNER_FEATURES.join(', ')}.`,
    );
  return PARTNER_FEATURES.filter((one) => list.includes(one));
}

/** Names alone, or with a description. */
function readPlans(value: unknown, problems: string[]): readonly AddonPlan[] {
  if (value === undefined || value === null) return [];
  const list = Array.isArray(value) ? value.slice(0, PLANS_MAX) : [value];
  const plans: AddonPlan[] = [];
  for (const one of list) {
    const plan: JsonObject = isJsonObject(one) ? one : { name: one };
    const name = plan.name ?? plan.slug ?? plan.id;
    if (typeof name !== 'string' || !PLAN.test(name)) {
      problems.push(
        `plans has ${quote(name)}: a plan is a name of lowercase letters, digits, dots, dashes and underscores, or an object with one.`,
      );
      continue;
    }
    const said = [plan.description, plan.human_name].find(
      (text) => typeof text === 'string' && isPlainText(text),
    );
    plans.push({ name, description: typeof said === 'string' ? said.slice(0, TEXT_MAX) : name });
  }
  return plans;
}

/** `{ base_url, sso_url }`, or as it once was, one address for both. */
function readAddresses(
  api: JsonObject,
  environment: PartnerEnvironment,
  problems: string[],
): { baseUrl: string; ssoUrl: string } {
  const where = `api.${environment}`;
  const value = api[environment];
  const other = environment === 'production' ? 'test' : 'production';
  if (value === undefined || value === null || value === '') {
    const hint =
      api[other] === undefined
        ? ''
        : ` To use those of api.${other} register it ${other === 'test' ? 'with' : 'without'} --test.`;
    problems.push(`${where} is missing: it has the base_url and the sso_url.${hint}`);
    return { baseUrl: '', ssoUrl: '' };
  }
  const given = isJsonObject(value) ? value : { base_url: value, sso_url: undefined };
  const base = readUrl(given.base_url, `${where}.base_url`, environment, problems);
  const sso =
    given.sso_url === undefined && !isJsonObject(value)
      ? undefined
      : readUrl(given.sso_url, `${where}.sso_url`, environment, problems);
  if (base && base.pathname === '/') base.pathname = RESOURCES_PATH;
  const baseUrl = base ? `${base.origin}${base.pathname.replace(/\/$/, '')}${base.search}` : '';
  return { baseUrl, ssoUrl: sso?.href ?? (base ? `${base.origin}/sso/login` : '') };
}

/** The password goes over it, so that only this machine is spoken to in the clear, unless it is for tests. */
function readUrl(
  value: unknown,
  where: string,
  environment: PartnerEnvironment,
  problems: string[],
): URL | undefined {
  const example = where.endsWith('sso_url')
    ? 'https://errorbucket.com/sso/login'
    : `https://errorbucket.com${RESOURCES_PATH}`;
  if (typeof value !== 'string' || !URL.canParse(value) || !/^https?:\/\//i.test(value)) {
    problems.push(`${where} is ${quote(value)}: write an address such as ${example}.`);
    return undefined;
  }
  const url = new URL(value);
  if (url.username || url.password) {
    problems.push(`${where} has a user or a password in it: the id and api.password are used.`);
    return undefined;
  }
  if (url.protocol === 'http:' && environment === 'production' && !isLoopbackHost(url.hostname)) {
    problems.push(`${where} begins with http://, where the password could be read on its way: use https://.`);
    return undefined;
  }
  url.hash = '';
  return url;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

function isPlainText(text: string): boolean {
  return !hasHiddenCharacter(text);
}

/** Something foreign, for a sentence. */
function quote(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value) ?? '';
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
