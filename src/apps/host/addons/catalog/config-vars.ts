/** The config vars of an add-on: what its provider told, and what its attachments make of that. */
import type { ProvisionedAddon } from '../provider.ts';
import type { ConfigVarMap } from './catalog-entry.ts';

/** The config vars of an attachment, by their names. */
export function attachedConfigVars(
  attachmentName: string,
  config: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).map(([suffix, value]) => [configVarName(attachmentName, suffix), value]),
  );
}

/** `REDIS_URL`; the attachment's name alone for a config var without more. */
export function configVarName(attachmentName: string, suffix: string): string {
  return suffix === '' ? attachmentName : `${attachmentName}_${suffix}`;
}

/** What a provider told, as an add-on's config: a fact that it didn't tell is no config var. */
export function configOfFacts(
  map: ConfigVarMap,
  facts: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map).flatMap(([suffix, fact]) => (fact in facts ? [[suffix, facts[fact]]] : [])),
  );
}

/** An add-on's config after what a provider gave. */
export function configAfter(
  before: { readonly config: Readonly<Record<string, string>>; readonly configVars: ConfigVarMap },
  { facts, configChange }: Pick<ProvisionedAddon, 'facts' | 'configChange'>,
): Record<string, string> {
  const config: Record<string, string | null> = {
    ...(facts ? configOfFacts(before.configVars, facts) : before.config),
    ...configChange,
  };
  return Object.fromEntries(
    Object.entries(config).filter((entry): entry is [string, string] => entry[1] !== null),
  );
}
