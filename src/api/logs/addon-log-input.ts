import type { AddonLogInput } from '../../apps/host/addons/partner/partner-provider.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';

/** Source tokens of partners' add-ons. */
export function addonLogInput(appRegistry: AppRegistry): AddonLogInput {
  return {
    async allow(app, source, token) {
      await appRegistry.addToken(app, source, token);
    },
    async revoke(app, token) {
      await appRegistry.removeToken(app, token).catch((error: unknown) => {
        if (!(error instanceof TailraceError) || error.code !== 'not_found') throw error;
      });
    },
  };
}
