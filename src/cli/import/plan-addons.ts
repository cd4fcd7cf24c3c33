/** Add-ons of another platform, and what stands in their place here. */

import { CATALOG } from '../../apps/host/addons/catalog/catalog.ts';
import type { CatalogService } from '../../apps/host/addons/catalog/catalog-entry.ts';
import { configVarName } from '../../apps/host/addons/catalog/config-vars.ts';
import { type FoundService, findService } from '../../apps/host/addons/catalog/find-service.ts';
import type { Destination, DestinationApp, DestinationService } from './destination.ts';
import { differs, type ImportNote, type ImportStep, type PlanPart, stays } from './import-plan.ts';
import type { SourceAddon, SourceApp } from './source-app.ts';

/** Heroku's services that no add-on here is like, and what does their work. */
const ADVICE: Readonly<Record<string, string>> = {
  scheduler:
    'its jobs are in no API: copy them from the dashboard into cron or systemd timers that call `tailrace run:detached` (docs/leaving-heroku.md, "Scheduler jobs")',
  'heroku-kafka': 'run Kafka elsewhere, and set its address as a config var',
  'heroku-connect': "it is Heroku's own, and nothing else does it",
};
/** What catches mail instead of sending it: in the place of one that sends, customers would get no more mail. */
const MAIL_CATCHER = 'mailgun';

/** The add-ons' part of a plan, and which config vars are theirs. */
export interface AddonPlanPart extends PlanPart {
  /** Names of config vars that an add-on gives here. */
  readonly given: ReadonlySet<string>;
  /** Names of config vars that lead to what is replaced here: they aren't copied. */
  readonly replaced: ReadonlySet<string>;
  /** Names of config vars of services that aren't replaced, by the add-on. */
  readonly foreign: ReadonlyMap<string, readonly string[]>;
}

/** Decides what becomes of each add-on. */
export function planAddons(source: SourceApp, here: Destination): AddonPlanPart {
  const steps: ImportStep[] = [];
  const notes: ImportNote[] = [];
  const given = new Set<string>();
  const replaced = new Set<string>();
  const foreign = new Map<string, readonly string[]>();
  for (const addon of source.addons) {
    const { found, service } = serviceFor(addon.service, here.services);
    const names = configVarsOf(addon, source);
    if (addon.owner !== source.name) {
      for (const name of names) replaced.add(name);
      notes.push(
        stays(
          `add-on ${addon.name} (${addon.service}) belongs to the app ${addon.owner} and is attached: import that app, then \`tailrace addons:attach ADDON --as ${addon.attachments[0] ?? 'NAME'}\``,
        ),
      );
      continue;
    }
    const reason = reasonAgainst(addon, found, service);
    if (reason !== undefined || service === undefined) {
      foreign.set(addon.service, names);
      notes.push(stays(`add-on ${addon.name} (${addon.service}:${addon.plan}): ${reason}`));
      continue;
    }
    for (const name of names) replaced.add(name);
    const attachments =
      addon.attachments.length > 0 ? addon.attachments : [found?.prefix ?? ''].filter(Boolean);
    const plan = planFor(addon, found?.service);
    steps.push(stepFor(addon, plan.name, attachments, here));
    const gives = attachments.flatMap((attachment) =>
      Object.keys(found?.configVars ?? {}).map((suffix) => configVarName(attachment, suffix)),
    );
    for (const name of gives) given.add(name);
    notes.push(
      differs(`${addon.service} is ${service.description} here, with the plan ${plan.said}; it is empty`),
    );
    const lost = found ? names.filter((name) => !gives.includes(name)) : [];
    if (lost.length > 0)
      notes.push(stays(`config vars of ${addon.service} that the one here doesn't give: ${lost.join(', ')}`));
  }
  return { steps, notes, given, replaced, foreign };
}

/** The service here, as the catalog knows it. A partner that is registered with this very name is the real one, which it doesn't know. */
function serviceFor(
  name: string,
  services: readonly DestinationService[],
): { readonly found: FoundService | undefined; readonly service: DestinationService | undefined } {
  const found = findService(CATALOG, name);
  const registered = services.find((one) => one.name === name);
  if (registered && registered.name !== found?.service.name) return { found: undefined, service: registered };
  return { found, service: services.find((one) => one.name === found?.service.name) };
}

/** Why an add-on doesn't come along; undefined: it does. */
function reasonAgainst(
  addon: SourceAddon,
  found: FoundService | undefined,
  service: DestinationService | undefined,
): string | undefined {
  if (Object.hasOwn(ADVICE, addon.service)) return ADVICE[addon.service];
  if (found?.service.name === MAIL_CATCHER && service?.description === found.service.description)
    return 'the mail service here only catches mail of tests: keep the account, or take one elsewhere, and set its config vars';
  if (!service)
    return "there is no such service here: keep it or take another one elsewhere, and set its config vars (a partner of Heroku's can be registered with addons:register)";
  if (!service.available) return `${service.description}; then run the import again`;
  return undefined;
}

/** The plan of the same name, or the service's first one. */
function planFor(
  { service, plan: wanted }: SourceAddon,
  known: CatalogService | undefined,
): { readonly name: string; readonly said: string } {
  if (!known || known.takesAnyPlan) return { name: `${service}:${wanted}`, said: wanted };
  const same = known.plans.find(({ name, aliases }) => name === wanted || aliases?.includes(wanted));
  const plan = same ?? known.plans[0];
  const other = plan.name === wanted ? '' : ` (there: ${wanted})`;
  return { name: `${service}:${plan.name}`, said: `${plan.name}${other}: ${plan.description}` };
}

function stepFor(
  addon: SourceAddon,
  plan: string,
  attachments: readonly string[],
  { app, addonNames }: Destination,
): ImportStep {
  const [first, ...more] = attachments;
  const what = `add-on ${plan}${first === undefined ? '' : ` as ${attachments.join(', ')}`}`;
  const there = first === undefined ? undefined : app?.attachments.find(({ name }) => name === first);
  if (there) return missingAttachments(what, there.addon, more, app);
  const name = addonNames.includes(addon.name) || addon.name === '' ? undefined : addon.name;
  const attachment = first === undefined ? {} : { name: first };
  return {
    what,
    request: { method: 'POST', path: '/addons', body: { plan, name, attachment } },
    moreAttachments: more,
  };
}

/** It was made before; an interruption may have left some of its attachments out. */
function missingAttachments(
  what: string,
  addon: string,
  wanted: readonly string[],
  app: DestinationApp | undefined,
): ImportStep {
  const missing = wanted.filter((name) => !app?.attachments.some((one) => one.name === name));
  if (missing.length === 0) return { what };
  const [first, ...moreAttachments] = missing;
  const request = { method: 'POST', path: '//addon-attachments', body: { addon, name: first } } as const;
  return { what: `${what}: attach ${missing.join(', ')}`, request, moreAttachments };
}

/** Names of the config vars that an add-on gives its app there. */
function configVarsOf(addon: SourceAddon, { name, config = {} }: SourceApp): readonly string[] {
  if (addon.owner === name) return addon.configVars;
  // What another app's add-on gives isn't told: what begins with the attachment's name.
  return addon.attachments.flatMap((attachment) =>
    Object.keys(config).filter(
      (variable) => variable === attachment || variable.startsWith(`${attachment}_URL`),
    ),
  );
}
