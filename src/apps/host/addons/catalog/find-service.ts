/** What somebody typed, found in a catalog. */
import { TailraceError } from '../../../../common/errors.ts';
import type { AddonPlan, CatalogService, ConfigVarMap } from './catalog-entry.ts';

/** What a plan can be called that only its service knows. */
const ANY_PLAN = /^[a-z0-9][a-z0-9._-]{0,98}$/;

/** A service, with what the typed name of it stands for. */
export interface FoundService {
  readonly service: CatalogService;
  readonly prefix: string;
  readonly colorPrefix: string;
  readonly configVars: ConfigVarMap;
}
export interface FoundPlan extends FoundService {
  readonly plan: AddonPlan;
}

/**
 * The service of a name, an alias of it, or a plan of it (`redis:dev`).
 * @param services those before others win
 */
export function findService(services: readonly CatalogService[], typed: string): FoundService | undefined {
  const name = typed.split(':', 1)[0].toLowerCase();
  for (const service of services) {
    const { spellings, prefix, colorPrefix = prefix, configVars } = service;
    if (service.name === name) return { service, prefix, colorPrefix, configVars };
    const spelling = Object.hasOwn(spellings, name) ? spellings[name] : undefined;
    if (spelling)
      return {
        service,
        prefix: spelling.prefix ?? prefix,
        colorPrefix: spelling.prefix ?? colorPrefix,
        configVars: spelling.configVars ?? configVars,
      };
  }
  return undefined;
}

/** @throws TailraceError `not_found`, with the names that there are */
export function requireService(services: readonly CatalogService[], typed: string): FoundService {
  const found = findService(services, typed);
  if (found) return found;
  const names = services.map(({ name }) => name).join(', ');
  throw new TailraceError('not_found', `Couldn't find that add-on service; there are: ${names}.`);
}

/**
 * The plan of `service:plan`, or the service's default plan.
 * @throws TailraceError `not_found` for an unknown service, `invalid_params` for an unknown plan
 */
export function requirePlan(services: readonly CatalogService[], typed: string): FoundPlan {
  const found = requireService(services, typed);
  return { ...found, plan: planOf(found.service, typed.split(':')[1], typed) };
}

/** @throws TailraceError `invalid_params` */
export function planOf(
  { name: service, plans, takesAnyPlan }: CatalogService,
  typed = '',
  whole = `${service}:${typed}`,
): AddonPlan {
  if (typed === '') return plans[0];
  const name = typed.toLowerCase();
  const found = plans.find((plan) => plan.name === name || plan.aliases?.includes(name));
  if (found) return found;
  if (takesAnyPlan && ANY_PLAN.test(name)) return { name, description: name };
  throw new TailraceError(
    'invalid_params',
    `Couldn't find either the add-on service or the add-on plan of "${whole}". ${service} has the plans ${plans.map((plan) => plan.name).join(', ')}.`,
  );
}
