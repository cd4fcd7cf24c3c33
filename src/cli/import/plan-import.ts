/** What an import does, decided from the app there and what is here: no I/O, so that a dry run says the same as a real one. */
import { parseBuildpackReference } from '../../apps/build/buildpacks/buildpack-reference.ts';
import { FEATURE_NAMES, FEATURES, type FeatureName } from '../../apps/records/features.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { TailraceError } from '../../common/errors.ts';
import { parseDrainUrl, redactUrl } from '../../logs/drains/options/drain-record.ts';
import type { Destination } from './destination.ts';
import { differs, type ImportNote, type ImportStep, type PlanPart, stays } from './import-plan.ts';
import { planAddons } from './plan-addons.ts';
import { planConfig } from './plan-config.ts';
import { planFormation } from './plan-formation.ts';
import type { SourceApp, SourcePerson } from './source-app.ts';

interface ImportOptions {
  /** What the app is called here. */
  readonly name: string;
  /** Address of the app there, which the one here remembers. */
  readonly from: string;
  readonly configValues: boolean;
  /** Addresses of this server: a drain that leads here would send an app's lines to itself. */
  readonly ownUrls: readonly string[];
}

const MASK = '****';
/** Heroku's own buildpacks, by the repositories that older apps name. */
const OWN_REPOSITORY = /^https:\/\/github\.com\/heroku\/heroku-buildpack-(nodejs|ruby|python|go)(?:\.git)?$/;
/** Of another Tailrace: it is a machine, too. */
const OWN_REGION = 'localhost';
const OWN_STACK = 'local';
const TEAM_ADDRESS = /@herokumanager\.com$/i;

/** The whole plan, in the order in which it is carried out. */
export function planImport(source: SourceApp, here: Destination, options: ImportOptions): PlanPart {
  const { name, from } = options;
  const { app } = here;
  const create: ImportStep = {
    what: `app ${name}`,
    ...(app === undefined && {
      request: { method: 'POST', path: '//apps', body: { name, imported_from: from } } as const,
    }),
  };
  const addons = planAddons(source, here);
  const parts: PlanPart[] = [
    { steps: [create], notes: notesOfApp(source) },
    planFormation(source.formation, app),
    planBuildpacks(source.buildpacks, here),
    planFeatures(source, here),
    addons,
    planConfig(source, addons, app, options.configValues),
    planDomains(source, here),
    planDrains(source, here, options.ownUrls),
    planPeople(source, here, name),
    { steps: [], notes: source.unread.map(({ what, reason }) => stays(`${what}: ${reason}`)) },
  ];
  return { steps: parts.flatMap(({ steps }) => steps), notes: parts.flatMap(({ notes }) => notes) };
}

function notesOfApp(source: SourceApp): ImportNote[] {
  const { region, stack, release, pipeline, webhooks, isPrivate, maintenance, certificates } = source;
  const notes: ImportNote[] = [];
  if (release !== '') notes.push(stays(`the code and the releases (there: ${release}): push its repository`));
  if (region !== '' && region !== OWN_REGION)
    notes.push(differs(`region ${region}: here it is this machine`));
  if (stack === 'container' || stack === 'cnb')
    notes.push(
      stays(
        `the stack ${stack}: images aren't built here; the app needs a Procfile, and a buildpack for its language`,
      ),
    );
  else if (stack !== '' && stack !== OWN_STACK)
    notes.push(differs(`stack ${stack}: here it is the system of this machine, with its packages`));
  if (maintenance)
    notes.push(stays('maintenance mode is on there: `tailrace maintenance:on` is for the one here'));
  if (isPrivate) notes.push(stays('it is in a Private Space: its network, peerings and trusted addresses'));
  if (pipeline)
    notes.push(
      stays('its pipeline: `tailrace promote -a APP --to OTHER` releases what one app runs to another'),
    );
  if (webhooks > 0)
    notes.push(
      stays(
        `${webhooks} webhooks: releases and dynos speak in the app's stream, which a drain brings anywhere`,
      ),
    );
  if (certificates > 0)
    notes.push(
      stays(
        `${certificates} certificates: Heroku gives out no private keys; see docs/leaving-heroku.md, "DNS"`,
      ),
    );
  return notes;
}

function planBuildpacks(names: readonly string[], { app }: Destination): PlanPart {
  if (names.length === 0) return { steps: [], notes: [] };
  const notes: ImportNote[] = [];
  const known = names.flatMap((name) => {
    try {
      const reference = parseBuildpackReference(OWN_REPOSITORY.exec(name)?.[1] ?? name);
      if (reference.kind !== 'built-in')
        notes.push(
          differs(
            `buildpack ${redactUrl(reference.id)} isn't built in here: it is fetched and run as it is at Heroku`,
          ),
        );
      return [reference.id];
    } catch (error) {
      if (!(error instanceof TailraceError)) throw error;
      notes.push(stays(`buildpack ${redactUrl(name)}: ${error.message}`));
      return [];
    }
  });
  const wanted = [...new Set(known)];
  if (wanted.length === 0) return { steps: [], notes };
  const what = `buildpacks ${wanted.map(redactUrl).join(', ')}`;
  const now = app?.buildpacks ?? [];
  if (now.length > 0) {
    if (now.join('\n') !== wanted.join('\n'))
      notes.push(differs(`buildpacks are others here, which stay: ${now.map(redactUrl).join(', ')}`));
    return { steps: [{ what }], notes };
  }
  const updates = wanted.map((buildpack) => ({ buildpack }));
  return {
    steps: [{ what, request: { method: 'PUT', path: '/buildpack-installations', body: { updates } } }],
    notes,
  };
}

function planFeatures({ features }: SourceApp, { app }: Destination): PlanPart {
  const isHere = (name: string): name is FeatureName => FEATURE_NAMES.some((one) => one === name);
  const steps = features.flatMap(({ name, enabled }): ImportStep[] => {
    if (!isHere(name)) return [];
    const now = app?.features[name] ?? FEATURES[name].enabled;
    if (now === enabled && FEATURES[name].enabled === enabled) return [];
    const what = `feature ${name} ${enabled ? 'on' : 'off'}`;
    // What somebody has switched here since stays: the first import is the one that decides.
    if (app?.isDeployed || now === enabled) return [{ what }];
    return [{ what, request: { method: 'PATCH', path: `/features/${name}`, body: { enabled } } }];
  });
  const others = features.filter(({ name, enabled }) => enabled && !isHere(name)).map(({ name }) => name);
  return { steps, notes: others.length > 0 ? [stays(`features: ${others.join(', ')}`)] : [] };
}

function planDomains({ domains }: SourceApp, { app }: Destination): PlanPart {
  const steps = domains.map((hostname): ImportStep => {
    const what = `domain ${hostname}`;
    if (app?.domains.includes(hostname.toLowerCase())) return { what };
    return { what, request: { method: 'POST', path: '/domains', body: { hostname } } };
  });
  const notes =
    steps.length === 0 ? [] : [differs('domains still lead there: their DNS records are yours to change')];
  return { steps, notes };
}

function planDrains({ drains }: SourceApp, { app }: Destination, ownUrls: readonly string[]): PlanPart {
  const steps: ImportStep[] = [];
  const notes: ImportNote[] = [];
  for (const { url, isAddons, options } of drains) {
    const shown = redactUrl(url);
    if (isAddons) continue;
    if (ownUrls.some((own) => isSameHost(own, url))) {
      notes.push(stays(`drain ${shown}: it leads here, where the app's lines are anyway`));
      continue;
    }
    if (url.includes(MASK) || JSON.stringify(options).includes(MASK)) {
      notes.push(stays(`drain ${shown}: its password isn't told; add it with \`tailrace drains:add\``));
      continue;
    }
    try {
      parseDrainUrl(url);
    } catch (error) {
      if (!(error instanceof TailraceError)) throw error;
      notes.push(stays(`drain ${shown}: ${error.message}`));
      continue;
    }
    const what = `drain ${shown}`;
    // A masked URL may be that of another one: then the server knows better.
    if (shown === url && app?.drainUrls.includes(url)) steps.push({ what });
    else
      steps.push({
        what,
        request: { method: 'POST', path: '/log-drains', body: { url, options } },
        isThereOnConflict: true,
      });
  }
  if (steps.length > 0)
    notes.push(
      differs('drains have other tokens (d.…) here: tell destinations that know an app by its token'),
    );
  return { steps, notes };
}

/** The names of this machine are one. */
function isSameHost(a: string, b: string): boolean {
  const [one, other] = [a, b].map((url) =>
    URL.canParse(url) ? new URL(url).host.replace(/^(127\.\d+\.\d+\.\d+|\[::1\])(?=:|$)/, 'localhost') : '',
  );
  return one !== '' && one === other;
}

function planPeople({ people }: SourceApp, here: Destination, app: string): PlanPart {
  const wanted = people.filter(({ email }) => email !== OWNER.email && !TEAM_ADDRESS.test(email));
  const team = people.find(({ email }) => TEAM_ADDRESS.test(email));
  const notes = team
    ? [stays(`the team that owns it (${team.email}): invite those of its members who aren't collaborators`)]
    : [];
  if (wanted.length === 0) return { steps: [], notes };
  if (here.people === undefined) {
    const names = wanted.map((person) => `${person.email} (${roleHere(person)})`);
    return {
      steps: [],
      notes: [
        ...notes,
        stays(`collaborators ${names.join(', ')}: your key here may not invite; ask an admin`),
      ],
    };
  }
  const steps = wanted.map((person): ImportStep => {
    const role = roleHere(person);
    const what = `${person.email} as ${role}`;
    if (here.people?.includes(person.email.toLowerCase())) return { what };
    return { what, request: { method: 'POST', path: '//people', body: { email: person.email, role, app } } };
  });
  return { steps, notes };
}

/** Heroku's roles and permissions are roles of one app here. */
function roleHere({ role, permissions }: SourcePerson): string {
  if (role === 'owner' || role === 'viewer' || role === 'admin') return role;
  if (permissions.includes('manage')) return 'admin';
  return permissions.length > 0 && permissions.every((name) => name === 'view') ? 'viewer' : 'member';
}
