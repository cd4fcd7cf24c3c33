/** What is known of a service that add-ons can be of: plain data, so that a name, a plan or a config var needs no code. */

/** Who makes the add-ons of a service: this server, an HTTP service that speaks the partner protocol, or nobody (an address is attached). */
export type AddonProviderName = 'local' | 'partner' | 'external';

/** Config vars by what follows the attachment's name and `_` in theirs, from the facts that a provider tells: `{ URL: 'url' }`. */
export type ConfigVarMap = Readonly<Record<string, string>>;

/** What one of a service's names, as people type them, stands for. Left out: as the service itself has it. */
export interface ServiceSpelling {
  /** Name of the first attachment, and so the beginning of the config vars: `REDISTOGO` → `REDISTOGO_URL`. */
  readonly prefix?: string;
  readonly configVars?: ConfigVarMap;
}

/** A plan of a service. All are free here: what they limit is what differs. */
export interface AddonPlan {
  /** Without the service: `premium-0`. */
  readonly name: string;
  readonly description: string;
  /** Names of the same plan at other times: `hobby-dev`. */
  readonly aliases?: readonly string[];
  /** Left out: no limit. */
  readonly memoryMb?: number;
  readonly connections?: number;
}

/** A service, as the catalog has it or as a partner's manifest gives it. */
export interface CatalogService {
  /** The name that Heroku has and that its CLI looks for: `heroku-redis`. */
  readonly name: string;
  /** `Heroku Key-Value Store` */
  readonly humanName: string;
  /** One line: what is started or attached. */
  readonly description: string;
  readonly provider: AddonProviderName;
  /** Other names that may be typed. */
  readonly spellings: Readonly<Record<string, ServiceSpelling>>;
  /** Name of the first attachment. */
  readonly prefix: string;
  /** Before the color of every other attachment, `HEROKU_REDIS` for `HEROKU_REDIS_AMBER_URL`; left out: `prefix`. */
  readonly colorPrefix?: string;
  readonly configVars: ConfigVarMap;
  /** Beginning of an add-on's name: `redis` for `redis-clear-48213`. */
  readonly namePrefix: string;
  /** Process type of its lines in the stream: `redis` for `app[redis.1]`. */
  readonly process: string;
  /** The first is what is taken when none is named. */
  readonly plans: readonly AddonPlan[];
  readonly docsUrl: string;
  /** Are the memory and load of its apps' dynos written to the stream for it? */
  readonly samplesDynos?: boolean;
  /** Has it a page that `addons:open` opens? */
  readonly hasPage?: boolean;
  /** Whoever makes its add-ons says which plans there are: any name is one. */
  readonly takesAnyPlan?: boolean;
  /** An app can have one add-on of it. */
  readonly isOnePerApp?: boolean;
  /** Other apps than its owner can't be attached to an add-on of it. */
  readonly isUnshared?: boolean;
}

/** What everything is called that has one size: what the machine gives. */
export const LOCAL_PLAN: AddonPlan = {
  name: 'local',
  description: 'on this machine, without limits of its own',
  aliases: ['dev', 'free', 'test', 'starter', 'sandbox', 'nano', 'developer'],
};
