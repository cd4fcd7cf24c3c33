/** Add-ons and their attachments, as records of the store: apart from releases, which only hold the config vars that come of them. */
import type { AppId } from '../../../../logs/store/contract.ts';
import type { AddonProviderName, ConfigVarMap } from '../catalog/catalog-entry.ts';

/**
 * Where an add-on is in its life. `creating`: a request is at it, and a server that finds it so at its start takes it back;
 * `provisioning`: the provider has accepted it and reports later; `deprovisioning`: it is being removed, and goes on being removed.
 */
export type AddonState = 'creating' | 'provisioning' | 'provisioned' | 'deprovisioning';

/** An add-on, under `addon/<id>` in the scope of no app; `addon-name/<name>` leads to it. */
export interface AddonRecord {
  readonly id: string;
  /** `redis-clear-48213`; one of all of the server's. */
  readonly name: string;
  /** Its owner. */
  readonly app: AppId;
  /** `heroku-redis` */
  readonly service: string;
  /** `premium-0` */
  readonly plan: string;
  readonly provider: AddonProviderName;
  /** The server that made it: what is local runs there, and what was left half-done is finished there. */
  readonly server: string;
  readonly state: AddonState;
  /** How its config vars come of the provider's facts, as the typed name of the service says. */
  readonly configVars: ConfigVarMap;
  /** Names for attachments without one: the first, and what is before a color. */
  readonly prefix: string;
  readonly colorPrefix: string;
  /** Values of its config vars, by what follows the attachment's name. Secrets: never logged. */
  readonly config: Readonly<Record<string, string>>;
  /** What its provider keeps with it: a port, a partner's id. Plain JSON, with secrets. */
  readonly resource?: unknown;
  /** What was given besides the plan (`-- --fork DATABASE`). */
  readonly options: Readonly<Record<string, string>>;
  /** The provider's words to the user. */
  readonly message?: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** An add-on that is attached to an app, under `attachment/<id>` in the scope of no app; `attachment-name/<app>/<name>` leads to it. */
export interface AttachmentRecord {
  readonly id: string;
  /** `REDIS`: what its config vars begin with. */
  readonly name: string;
  readonly app: AppId;
  /** The add-on's id. */
  readonly addon: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}
