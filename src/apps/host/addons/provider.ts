/** What makes add-ons of one kind: the interface between their records and what stands behind them. */
import type { AddonPlan, CatalogService, ConfigVarMap } from './catalog/catalog-entry.ts';
import type { AddonRecord } from './model/addon-record.ts';

/** What an add-on's config vars are made of, by name: `url`, `host`, `password` … A service's `configVars` name those that it needs. */
export type AddonFacts = Readonly<Record<string, string>>;

/** New values of an add-on's config vars by what follows the attachment's name; null removes one. */
export type AddonConfigChange = Readonly<Record<string, string | null>>;

export interface ProvisionedAddon {
  /** Pending: accepted, and reported later through {@link AddonReports}. */
  readonly state: 'provisioned' | 'pending';
  /** May be there while pending, too. */
  readonly facts?: AddonFacts;
  /** Config vars as they are, of a provider that gives them instead of facts; those that it doesn't name stay. */
  readonly configChange?: AddonConfigChange;
  /** What its config vars are now, where they aren't those that its record has. */
  readonly configVars?: ConfigVarMap;
  /** What the provider wants to find in the record again. Left out: as it was. */
  readonly resource?: unknown;
  /** For the user. */
  readonly message?: string;
  /** Where it wants the app's lines to be sent to. */
  readonly logDrainUrl?: string;
}

/** A row of `pg:info` and `redis:info`, in the shape that Heroku's CLI reads. */
export interface AddonInfoRow {
  readonly name: string;
  readonly values: readonly string[];
}

/**
 * A provider is told of an add-on after its record is stored, and may be told of the same twice: after a crash, and by a user who tries
 * again. So each call does what is still to be done.
 */
export interface AddonProvider {
  /** A creation that the server died over is asked for once more at its next start; left out: it is taken back. */
  readonly resumesCreation?: boolean;
  /** The services that it can make add-ons of now. Those that it could if something were installed are given with `missing`. */
  services(): Promise<readonly ProvidedService[]>;
  /**
   * Makes the add-on. It may take a while; nothing waits but the user.
   * @throws TailraceError with what the user should do; the record is taken back then, after `deprovision`
   */
  provision(addon: AddonRecord, plan: AddonPlan): Promise<ProvisionedAddon>;
  /** Changes its plan. @throws TailraceError when it can't: the plan stays */
  changePlan(addon: AddonRecord, plan: AddonPlan): Promise<ProvisionedAddon>;
  /**
   * Ends it and deletes what it holds; does nothing when there is nothing any more.
   * @param isForced what can't be reached is left where it is
   * @throws TailraceError: tried again later
   */
  deprovision(addon: AddonRecord, isForced?: boolean): Promise<void>;
  /** Runs the add-ons of this server, at its start. One that can't run is reported in the app's stream, and holds up nothing else. */
  resume(addons: readonly AddonRecord[]): Promise<void>;
  /** Its page, when it is on this machine; see {@link open} for those elsewhere. */
  page?(addon: AddonRecord): AddonPage | undefined;
  /**
   * Where a user's browser is sent to for its page, signed on there: for one use. Undefined: it has no page.
   */
  open?(addon: AddonRecord, context: OpenContext): Promise<string | undefined>;
  /** The same for a page that is posted a form. */
  signOn?(addon: AddonRecord, context: OpenContext): Promise<SignOnForm>;
  /** What it is like now, for `addons:info`, `pg:info`, `redis:info`. */
  info?(addon: AddonRecord): Promise<readonly AddonInfoRow[]>;
  /** Stops what runs, as the server does. */
  close(): Promise<void>;
  /** The same, but leaves what runs to the next server. Left out: there is nothing to leave. */
  leave?(): Promise<void>;
}

/** A service of a provider; `missing`: the sentence that says what has to be installed first. */
export interface ProvidedService extends CatalogService {
  readonly missing?: string;
}

/** A form that a user's browser posts; `action` is foreign. */
export interface SignOnForm {
  readonly action: string;
  /** Of hidden inputs, by their names. They are secrets, good for some minutes. */
  readonly fields: Readonly<Record<string, string>>;
}

/** A page on this machine: this server asks for it in the browser's place. */
export interface AddonPage {
  /** On loopback. */
  readonly port: number;
  /** Sent to it as `Authorization: Bearer …`. */
  readonly key: string;
}

/** From where a page is opened. */
export interface OpenContext {
  readonly appName: string;
  readonly email: string;
}

/** How an add-on is named in its samples. */
export interface SampleNames {
  /** `REDIS`, `HEROKU_REDIS_AMBER`: the attachment to its app. */
  readonly source: string;
  /** Add-ons can be renamed. */
  readonly addon: string;
}

/** What a provider reports by itself, after it has answered: the add-ons' class takes it. */
export interface AddonReports {
  /** What its samples are named after now. */
  sampleNames(addon: AddonRecord): Promise<SampleNames>;
  /** A pending add-on is there. */
  markProvisioned(id: string, facts?: AddonFacts): Promise<AddonRecord>;
  /** A pending add-on won't be there: its record is taken back, and the app's stream says why. */
  markFailed(id: string, reason: string): Promise<void>;
  /** Its config vars are others now: the apps that have it are released with them. */
  updateFacts(id: string, facts: AddonFacts, resource?: unknown): Promise<AddonRecord>;
  /** What the provider wants to find in the record again, before it asks for anything that has to be taken back. */
  keepResource(id: string, resource: unknown): Promise<void>;
  /**
   * It wants the app's lines, or wants them elsewhere.
   * @param token of the drain; left out: a new one
   * @throws TailraceError for an address that can't be drained to
   */
  updateLogDrain(id: string, url: string, token?: string): Promise<void>;
}
