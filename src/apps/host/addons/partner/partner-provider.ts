/** Add-ons of services that speak Heroku's add-on partner protocol, version 3: asked for by HTTP, and by the add-on's id, so that each request may be repeated. */

import { randomUUID } from 'node:crypto';
import { TailraceError } from '../../../../common/errors.ts';
import type { Log } from '../../../../common/log.ts';
import { ownValue } from '../../../../common/own-value.ts';
import { TIMER_MS_MAX } from '../../../../common/wait-with-timeout.ts';
import type { AppId } from '../../../../logs/store/contract.ts';
import { OWNER } from '../../../records/owner.ts';
import type { AddonPlan } from '../catalog/catalog-entry.ts';
import type { AddonRecord } from '../model/addon-record.ts';
import type {
  AddonInfoRow,
  AddonProvider,
  AddonReports,
  OpenContext,
  ProvidedService,
  ProvisionedAddon,
  SignOnForm,
} from '../provider.ts';
import { type PartnerManifest, partnerService } from './manifest.ts';
import { isRefusal, partnerError, readAcceptance, readRemoval } from './partner-answer.ts';
import { type PartnerAnswer, type PartnerClient, PartnerFailure } from './partner-client.ts';
import type { PartnerManifests, PartnerRecord } from './partner-manifests.ts';
import type { PartnerTokens } from './partner-tokens.ts';
import { partnerSignOn } from './sign-on.ts';

/** Who may write into an app's log. Each call does what is still to be done. */
export interface AddonLogInput {
  /** Lets whoever has the token write lines under a source's name. */
  allow(app: AppId, source: string, token: string): Promise<void>;
  revoke(app: AppId, token: string): Promise<void>;
}

export interface PartnerProviderOptions {
  readonly manifests: PartnerManifests;
  readonly tokens: PartnerTokens;
  readonly client: PartnerClient;
  readonly logInput: AddonLogInput;
  /** This server, as partners reach it. */
  readonly publicUrl: () => string;
  /** How long a pending add-on may take, milliseconds. */
  readonly provisionMs: number;
  readonly reports: AddonReports;
  readonly log: Log;
}

/** What the record of a partner's add-on keeps, as its `resource`. */
interface PartnerResource {
  /** The source's token of its lines. */
  readonly logToken?: string;
  readonly logDrainToken?: string;
}

/** Heroku's names of the regions that manifests name in short. */
const REGIONS: Readonly<Record<string, string>> = {
  us: 'amazon-web-services::us-east-1',
  eu: 'amazon-web-services::eu-west-1',
};

export class PartnerProvider implements AddonProvider {
  readonly resumesCreation = true;
  private readonly options: PartnerProviderOptions;
  /** Until when pending add-ons have to be there, by id. */
  private readonly deadlines = new Map<string, NodeJS.Timeout>();
  /** Those that their partner refused, so that it has nothing of them. */
  private readonly refused = new Set<string>();

  constructor(options: PartnerProviderOptions) {
    this.options = options;
  }

  async services(): Promise<readonly ProvidedService[]> {
    return (await this.options.manifests.list()).map(partnerService);
  }

  async provision(addon: AddonRecord, plan: AddonPlan): Promise<ProvisionedAddon> {
    const { tokens, logInput, reports, publicUrl } = this.options;
    const manifest = await this.manifestOf(addon);
    const resource = newResource(manifest, addon.resource as PartnerResource | undefined);
    // Before anything is asked for: whatever becomes of it, it can be taken back.
    await reports.keepResource(addon.id, resource);
    const { logToken, logDrainToken } = resource;
    if (logToken) await logInput.allow(addon.app, manifest.id, logToken);
    const answer = await this.request(manifest, 'create it', 'POST', undefined, {
      name: addon.name,
      uuid: addon.id,
      plan: plan.name,
      region: regionOf(manifest),
      callback_url: `${publicUrl()}/addons/${addon.id}`,
      oauth_grant: await tokens.grant(addon.id),
      options: addon.options,
      ...(logToken ? { log_input_url: logInputUrl(publicUrl(), logToken) } : {}),
      ...(logDrainToken ? { log_drain_token: logDrainToken } : {}),
    });
    if (isRefusal(answer)) this.refused.add(addon.id);
    const { isPending, config, message, logDrainUrl } = readAcceptance(manifest, answer, 'create it');
    if (logDrainUrl && logDrainToken) await this.addDrain(addon, manifest, logDrainUrl, logDrainToken);
    else if (logDrainUrl)
      this.options.log.warn(
        { addon: addon.name, partner: manifest.id },
        'a partner gave a log_drain_url, but its manifest does not require syslog_drain: it gets no drain',
      );
    if (isPending) this.watch(addon, manifest);
    return {
      state: isPending ? 'pending' : 'provisioned',
      configChange: config,
      configVars: partnerService(manifest).configVars,
      resource,
      message,
    };
  }

  async changePlan(addon: AddonRecord, plan: AddonPlan): Promise<ProvisionedAddon> {
    const manifest = await this.manifestOf(addon);
    const answer = await this.request(manifest, 'change its plan', 'PUT', addon.id, { plan: plan.name });
    const { config, message } = readAcceptance(manifest, answer, 'change its plan');
    const { configVars } = partnerService(manifest);
    return { state: 'provisioned', configChange: config, configVars, message };
  }

  async deprovision(addon: AddonRecord, isForced = false): Promise<void> {
    const { tokens, logInput, log } = this.options;
    clearTimeout(this.deadlines.get(addon.id));
    this.deadlines.delete(addon.id);
    const { logToken } = (addon.resource ?? {}) as PartnerResource;
    if (logToken) await logInput.revoke(addon.app, logToken);
    if (!this.refused.has(addon.id))
      try {
        const manifest = await this.manifestOf(addon);
        readRemoval(manifest, await this.request(manifest, 'remove it', 'DELETE', addon.id));
      } catch (error) {
        if (!isForced) throw error;
        log.warn(
          { addon: addon.name, id: addon.id, err: error },
          'an add-on is removed here; its partner does not know, and may still have it',
        );
      }
    await tokens.revoke(addon.id);
    this.refused.delete(addon.id);
  }

  async resume(addons: readonly AddonRecord[]): Promise<void> {
    for (const addon of addons) {
      const manifest = await this.options.manifests.find(addon.service);
      if (addon.state === 'provisioning') this.watch(addon, manifest ?? { name: addon.service });
    }
  }

  async signOn(addon: AddonRecord, context: OpenContext): Promise<SignOnForm> {
    return partnerSignOn(addon, await this.manifestOf(addon), { ...context, userId: OWNER.id });
  }

  async info(addon: AddonRecord): Promise<readonly AddonInfoRow[]> {
    const manifest = await this.manifestOf(addon);
    const rows = [{ name: 'Partner', values: [`${manifest.name} (${new URL(manifest.baseUrl).host})`] }];
    if (addon.state !== 'provisioning') return rows;
    const until = new Date(this.deadlineMs(addon)).toISOString();
    return [
      ...rows,
      { name: 'Waiting for', values: [`${manifest.name} to say that it is there, until ${until}`] },
    ];
  }

  async close(): Promise<void> {
    this.options.client.close();
    for (const timer of this.deadlines.values()) clearTimeout(timer);
  }

  private async request(
    manifest: PartnerManifest,
    what: string,
    ...args: [method: 'POST' | 'PUT' | 'DELETE', uuid: string | undefined, body?: unknown]
  ): Promise<PartnerAnswer> {
    try {
      return await this.options.client.request(manifest, ...args);
    } catch (error) {
      if (!(error instanceof PartnerFailure)) throw error;
      throw partnerError(manifest, error.message, what, error);
    }
  }

  private async addDrain(
    addon: AddonRecord,
    manifest: PartnerManifest,
    url: string,
    token: string,
  ): Promise<void> {
    await this.options.reports.updateLogDrain(addon.id, url, token).catch((error: unknown) => {
      if (!(error instanceof TailraceError)) throw error;
      throw new TailraceError(
        error.code,
        `${manifest.name} can't get the app's log as it asked for: ${error.message}`,
        { cause: error },
      );
    });
  }

  /** A pending add-on that isn't there in time is taken back. */
  private watch(addon: AddonRecord, { name }: Pick<PartnerManifest, 'name'>): void {
    clearTimeout(this.deadlines.get(addon.id));
    const { reports, provisionMs, log } = this.options;
    const giveUp = (): void => {
      this.deadlines.delete(addon.id);
      const reason = `${name} did not say within ${describeMs(provisionMs)} that it is there. It was removed: create it again, and ask its partner if that doesn't help.`;
      reports
        .markFailed(addon.id, reason)
        .catch((error: unknown) =>
          log.warn({ addon: addon.name, err: error }, 'an add-on that took too long is still there'),
        );
    };
    const leftMs = Math.max(0, this.deadlineMs(addon) - Date.now());
    this.deadlines.set(addon.id, setTimeout(giveUp, Math.min(leftMs, TIMER_MS_MAX)).unref());
  }

  private deadlineMs({ createdAt }: AddonRecord): number {
    return Date.parse(createdAt) + this.options.provisionMs;
  }

  private async manifestOf({ service }: AddonRecord): Promise<PartnerRecord> {
    const found = await this.options.manifests.find(service);
    if (found) return found;
    throw new TailraceError(
      'unavailable',
      `The partner ${service} is not registered here any more: register its manifest again (addons:register), or destroy the add-on with --force, which leaves what the partner has of it.`,
    );
  }
}

function newResource({ requires }: PartnerManifest, before: PartnerResource = {}): PartnerResource {
  return {
    ...before,
    ...(requires.includes('log_input') && !before.logToken ? { logToken: `t.${randomUUID()}` } : {}),
    ...(requires.includes('syslog_drain') && !before.logDrainToken
      ? { logDrainToken: `d.${randomUUID()}` }
      : {}),
  };
}

function regionOf({ regions }: PartnerManifest): string {
  const region = ['us', 'eu'].find((one) => regions.includes(one)) ?? regions[0];
  return ownValue(REGIONS, region) ?? region;
}

/** As Logplex's: the token is the password. */
function logInputUrl(server: string, token: string): string {
  const url = new URL('/logs', server);
  url.username = 'token';
  url.password = token;
  return url.href;
}

function describeMs(ms: number): string {
  if (ms >= 3_600_000) return `${Math.round(ms / 3_600_000)} hours`;
  return ms >= 60_000 ? `${Math.round(ms / 60_000)} minutes` : `${Math.round(ms / 1_000)} seconds`;
}
