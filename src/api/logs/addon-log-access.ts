import type { PartnerLogs } from '../../apps/host/addons/partner/partner-provider.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import { parseDrainUrl } from '../../logs/drains/options/drain-record.ts';
import type { TargetPolicy } from '../../logs/drains/options/target-policy.ts';

/** What partners' add-ons have of an app's log. Their drains are removed by `removeAddonDrains`. */
export function addonLogAccess(dependencies: {
  readonly appRegistry: AppRegistry;
  readonly deliveries: { reconcile(): Promise<void> };
  readonly targetPolicy: TargetPolicy;
}): PartnerLogs {
  const { appRegistry, deliveries, targetPolicy } = dependencies;
  return {
    async allowInput(app, source, token) {
      await appRegistry.addToken(app, source, token);
    },
    async revokeInput(app, token) {
      await appRegistry.removeToken(app, token).catch((error: unknown) => {
        if (!(error instanceof TailraceError) || error.code !== 'not_found') throw error;
      });
    },
    async addDrain({ id, name, app }, url, token) {
      const before = (await appRegistry.listDrains(app)).filter(({ addon }) => addon?.id === id);
      if (before.some((drain) => drain.url === url && drain.token === token)) return;
      const target = parseDrainUrl(url);
      await targetPolicy.assertAllowedHost(target.host);
      // Its partner was asked twice, and answered with another address.
      for (const drain of before) await appRegistry.removeDrain(app, drain.id);
      const appName = (await appRegistry.findApp(app))?.name;
      await appRegistry.addDrain(app, url, { appName, addon: { id, name }, token });
      await deliveries.reconcile();
    },
  };
}
