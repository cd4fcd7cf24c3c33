/** Add-ons that run elsewhere: somebody gave their address (`--url`), and it becomes the config vars of a service. */
import { TailraceError } from '../../../../common/errors.ts';
import { ownValue } from '../../../../common/own-value.ts';
import type { AddonRecord } from '../model/addon-record.ts';
import type { AddonFacts, AddonProvider, ProvidedService, ProvisionedAddon } from '../provider.ts';

/** Of services whose clients take their address as it is. */
const SCHEMES: Readonly<Record<string, readonly string[]>> = {
  'heroku-postgresql': ['postgres:', 'postgresql:'],
  'heroku-redis': ['redis:', 'rediss:'],
  mongolab: ['mongodb:', 'mongodb+srv:'],
};

/** Has no services of its own: those of the catalog are created with it when an address is given. It starts nothing and asks nobody. */
export class ExternalProvider implements AddonProvider {
  async services(): Promise<readonly ProvidedService[]> {
    return [];
  }

  async provision({ service, options, configVars }: AddonRecord): Promise<ProvisionedAddon> {
    const facts = factsOfUrl(options.url ?? '', options);
    requireScheme(service, facts.url);
    const missing = Object.values(configVars).filter((fact) => !(fact in facts));
    if (missing.length === Object.keys(configVars).length)
      throw new TailraceError(
        'invalid_params',
        `Nothing of what this service's config vars need (${missing.join(', ')}) is in that address: name it with -- --${missing[0]} VALUE.`,
      );
    return { state: 'provisioned', facts, message: 'It runs elsewhere, and is used by its address.' };
  }

  async changePlan(): Promise<ProvisionedAddon> {
    throw new TailraceError(
      'invalid_params',
      'This add-on runs elsewhere: its plan is changed there. To use another one, destroy it and create it again with the other --url.',
    );
  }

  async deprovision(): Promise<void> {}
  async resume(): Promise<void> {}
  async close(): Promise<void> {}
}

/**
 * Another one is that of another service: its clients would find out, in production.
 * @throws TailraceError `invalid_params`
 */
function requireScheme(service: string, url: string): void {
  const schemes = ownValue(SCHEMES, service);
  const { protocol } = new URL(url);
  if (schemes === undefined || schemes.includes(protocol)) return;
  throw new TailraceError(
    'invalid_params',
    `${service} is not at an address with ${protocol}; it begins with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}.`,
  );
}

/**
 * What an address tells, and what was named besides.
 * @throws TailraceError `invalid_params` for something that is no URL
 */
export function factsOfUrl(url: string, more: AddonFacts = {}): AddonFacts {
  if (!URL.canParse(url))
    throw new TailraceError(
      'invalid_params',
      'That is no address: write a URL with its scheme, such as --url redis://:password@cache.example.com:6379.',
    );
  const parsed = new URL(url);
  const { hostname, port, host, protocol } = parsed;
  if (!hostname)
    throw new TailraceError(
      'invalid_params',
      `"${protocol}" without a host is no address: write --url ${protocol}//host:port.`,
    );
  const known = {
    url,
    dsn: url,
    host: hostname,
    port,
    servers: host,
    username: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
  };
  const told = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== ''));
  return { ...told, ...more };
}
