/** Config vars of another platform: which come along, and what in their values still leads there. */

import type { DestinationApp } from './destination.ts';
import { differs, type ImportNote, type ImportStep, type PlanPart, stays } from './import-plan.ts';
import type { AddonPlanPart } from './plan-addons.ts';
import { ADDONS, type SourceApp } from './source-app.ts';

/** What Heroku's dyno metadata are: of the release there. */
const METADATA =
  /^HEROKU_(APP_(ID|NAME|DEFAULT_DOMAIN_NAME)|BUILD_(COMMIT|DESCRIPTION)|DYNO_ID|RELEASE_(CREATED_AT|VERSION)|SLUG_(COMMIT|DESCRIPTION)|PR_NUMBER|BRANCH)$/;

/**
 * The config vars' part of a plan. No text of it has a value in it.
 * @param withValues are values to be copied?
 * @param app here; undefined: it is still to be made
 */
export function planConfig(
  source: SourceApp,
  addons: AddonPlanPart,
  app: DestinationApp | undefined,
  withValues: boolean,
): PlanPart {
  const { config } = source;
  if (config === undefined) return { steps: [], notes: [] };
  // Which of them lead to databases there isn't known then.
  if (source.unread.some(({ what }) => what === ADDONS))
    return {
      steps: [],
      notes: [stays('config vars: without the add-ons nobody knows which of them are theirs')],
    };
  const notes: ImportNote[] = [];
  const metadata = Object.keys(config).filter((name) => METADATA.test(name));
  if (metadata.length > 0)
    notes.push(stays(`config vars that Heroku sets itself (dyno metadata): ${metadata.join(', ')}`));
  const own = Object.keys(config)
    .filter((name) => !METADATA.test(name) && !addons.replaced.has(name) && !addons.given.has(name))
    .sort();
  const there = own.filter((name) => app?.config !== undefined && Object.hasOwn(app.config, name));
  const missing = own.filter((name) => !there.includes(name));
  if (!withValues) {
    if (missing.length > 0)
      notes.push(
        stays(
          `values of config vars: ${missing.join(', ')}. They are copied with --config-values; or set them with \`tailrace config:set\``,
        ),
      );
    return { steps: [], notes };
  }
  const others = there.filter((name) => app?.config?.[name] !== config[name]);
  if (others.length > 0)
    notes.push(differs(`config vars that have another value here, which stays: ${others.join(', ')}`));
  notes.push(...ofForeignAddons(own, addons), ...whatLeadsBack(own, source, addons));
  if (own.length === 0) return { steps: [], notes };
  const step: ImportStep = { what: `config vars ${own.join(', ')}` };
  if (missing.length === 0) return { steps: [step], notes };
  const body = Object.fromEntries(missing.map((name) => [name, config[name]]));
  const what = `config vars ${missing.join(', ')}`;
  return { steps: [{ what, request: { method: 'PATCH', path: '/config-vars', body } }], notes };
}

/** Credentials of add-ons that aren't replaced are good until those are destroyed. */
function ofForeignAddons(own: readonly string[], { foreign }: AddonPlanPart): ImportNote[] {
  return [...foreign].flatMap(([service, names]) => {
    const copied = names.filter((name) => own.includes(name));
    if (copied.length === 0) return [];
    return [
      differs(
        `${copied.join(', ')} are those of ${service} there, and end with that add-on: get an account of your own before you destroy it`,
      ),
    ];
  });
}

/** Variables whose values name a host of an add-on that is replaced, or the app's own address there. */
function whatLeadsBack(own: readonly string[], source: SourceApp, { replaced }: AddonPlanPart): ImportNote[] {
  const config = source.config ?? {};
  const hosts = new Map<string, string>();
  for (const name of replaced) {
    const host = hostOf(config[name]);
    // A service on the same machine says nothing of whose it is.
    if (host !== undefined && !/^(localhost|127\.|\[::1\])/.test(host)) hosts.set(host, name);
  }
  const web = hostOf(source.webUrl);
  return own.flatMap((name) => {
    const value = config[name];
    const found = [...hosts].find(([host]) => value.includes(host));
    if (found)
      return [
        differs(
          `${name} names the host of ${found[1]} there, which isn't the one here: change it with config:set`,
        ),
      ];
    if ((web !== undefined && value.includes(web)) || /\.herokuapp\.com\b/.test(value))
      return [
        differs(`${name} names an address at Heroku: change it with config:set when the app has moved`),
      ];
    return [];
  });
}

function hostOf(value: string | undefined): string | undefined {
  if (value === undefined || !URL.canParse(value)) return undefined;
  return new URL(value).host || undefined;
}
