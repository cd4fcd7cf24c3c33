/** Add-ons of services that speak Heroku's add-on partner protocol: none is registered. */
import { TailraceError } from '../../../../common/errors.ts';
import type { AddonProvider, ProvidedService, ProvisionedAddon } from '../provider.ts';

export class PartnerProvider implements AddonProvider {
  async services(): Promise<readonly ProvidedService[]> {
    return [];
  }

  async provision(): Promise<ProvisionedAddon> {
    throw notRegistered();
  }

  async changePlan(): Promise<ProvisionedAddon> {
    throw notRegistered();
  }

  async deprovision(): Promise<void> {
    throw notRegistered();
  }

  async resume(): Promise<void> {}
  async close(): Promise<void> {}
}

function notRegistered(): TailraceError {
  return new TailraceError(
    'unavailable',
    'The partner of this add-on is not registered on this server any more.',
  );
}
