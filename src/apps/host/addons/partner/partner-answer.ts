/** What a partner's answers mean: decisions, without requests and records. */

import { TailraceError } from '../../../../common/errors.ts';
import { isJsonObject } from '../../../../common/json-object.ts';
import { replaceHiddenCharacters } from '../../../../common/text/hidden-characters.ts';
import type { AddonConfigChange } from '../provider.ts';
import type { PartnerManifest } from './manifest.ts';
import type { PartnerAnswer } from './partner-client.ts';

/** Of the partner's words, what is shown. */
const MESSAGE_MAX = 1_000;
/** Config vars of an app together, as on Heroku. */
const CONFIG_BYTES_MAX = 65_536;

/** An accepted provision or plan change. */
export interface PartnerAcceptance {
  /** It goes on, and reports when it is done (202). */
  readonly isPending: boolean;
  readonly config: AddonConfigChange;
  readonly message?: string;
  /** Where its copy of the app's log goes. */
  readonly logDrainUrl?: string;
}

/**
 * @param what was asked for: `create it`, `change its plan`
 * @throws TailraceError `invalid_params` with the partner's own sentence when it refuses, else `unavailable`
 */
export function readAcceptance(
  manifest: PartnerManifest,
  answer: PartnerAnswer,
  what: string,
): PartnerAcceptance {
  const { status, json } = answer;
  if (status < 200 || status >= 300) throw refusalOf(manifest, answer, what);
  if (answer.fault) throw partnerError(manifest, `${answer.fault} (${status})`, what);
  if (json !== undefined && !isJsonObject(json))
    throw partnerError(manifest, `answered with JSON that is no object (${status})`, what);
  const { config, message, log_drain_url: logDrainUrl } = json ?? {};
  const change = readPartnerConfig(manifest, config ?? {});
  if (typeof change === 'string') throw partnerError(manifest, `answered with ${change}`, what);
  if (logDrainUrl !== undefined && logDrainUrl !== null && typeof logDrainUrl !== 'string')
    throw partnerError(manifest, 'answered with a log_drain_url that is no text', what);
  return {
    isPending: status === 202,
    config: change,
    message: readMessage(message),
    logDrainUrl: logDrainUrl || undefined,
  };
}

/** Is a removal done? 404 and 410: it was done before. @throws TailraceError `unavailable` */
export function readRemoval(manifest: PartnerManifest, answer: PartnerAnswer): void {
  const { status } = answer;
  if ((status >= 200 && status < 300) || status === 404 || status === 410) return;
  throw refusalOf(manifest, answer, 'remove it');
}

/** Did the partner say that it made nothing, so that there is nothing to take back? */
export function isRefusal({ status }: PartnerAnswer): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 409 && status !== 429;
}

/**
 * Config vars as a partner names them: whole, `ERRORBUCKET_URL`, in an object or in a list of `{ name, value }`.
 * @returns by what follows the prefix; a text says what is wrong, without values
 */
export function readPartnerConfig(manifest: PartnerManifest, value: unknown): AddonConfigChange | string {
  const { prefix, configVars } = manifest;
  const pairs = configPairs(value);
  if (!pairs) return 'a config that is neither an object nor a list of names and values';
  const unknown = pairs.find(([name]) => !configVars.includes(name));
  if (unknown)
    return `the config var ${showText(unknown[0], 100)}, which its manifest doesn't have: it has ${configVars.join(', ')}`;
  const odd = pairs.find(([, one]) => one !== null && (typeof one !== 'string' || one.includes('\0')));
  if (odd) return `a value of ${odd[0]} that is no text`;
  const change = Object.fromEntries(pairs) as AddonConfigChange;
  if (Buffer.byteLength(JSON.stringify(change)) > CONFIG_BYTES_MAX)
    return `config vars of more than ${CONFIG_BYTES_MAX / 1_024} KB`;
  return Object.fromEntries(
    Object.entries(change).map(([name, one]) => [name.slice(prefix.length + 1), one]),
  );
}

/** The sentence for somebody whose request a partner didn't do. */
export function partnerError(
  { name }: PartnerManifest,
  reason: string,
  what: string,
  cause?: unknown,
): TailraceError {
  return new TailraceError(
    'unavailable',
    `${name} could not be asked to ${what}: it ${reason}. Try again later, and ask its partner if that doesn't help.`,
    { cause },
  );
}

function refusalOf(manifest: PartnerManifest, answer: PartnerAnswer, what: string): TailraceError {
  const { status, json, fault } = answer;
  const message = isJsonObject(json) ? readMessage(json.message ?? json.error) : undefined;
  if (status === 401 || status === 403)
    return new TailraceError(
      'unavailable',
      `${manifest.name} doesn't accept the password of its manifest (${status}): ask its partner for the right one, and register the manifest again.`,
    );
  if (status === 422 || (isRefusal(answer) && message))
    return new TailraceError(
      'invalid_params',
      message ?? `${manifest.name} refused to ${what}, without saying why (${status}).`,
    );
  const said = message ? `: ${message}` : '';
  return partnerError(
    manifest,
    fault && status < 400 ? `${fault} (${status})` : `answered ${status}${said}`,
    what,
  );
}

function readMessage(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  return showText(value, MESSAGE_MAX).trim() || undefined;
}

/** Foreign words as one line that can't change how a terminal shows others. */
function showText(text: string, max: number): string {
  return replaceHiddenCharacters(text.slice(0, max).replace(/\s+/g, ' '), () => '');
}

function configPairs(value: unknown): [string, unknown][] | undefined {
  if (isJsonObject(value)) return Object.entries(value);
  if (!Array.isArray(value)) return undefined;
  const pairs = value.map((one): [string, unknown] | undefined =>
    isJsonObject(one) && typeof one.name === 'string' ? [one.name, one.value ?? null] : undefined,
  );
  return pairs.every((one) => one !== undefined) ? pairs : undefined;
}
