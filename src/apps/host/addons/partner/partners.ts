/** Partners as the rest of the server sees them: who they are, and what they may do here. */

import { TailraceError } from '../../../../common/errors.ts';
import { isSameSecret } from '../../../../common/secret-comparison.ts';
import type { AddonRecord } from '../model/addon-record.ts';
import type { PartnerManifests } from './partner-manifests.ts';
import type { PartnerRegistration } from './partner-registration.ts';
import type { OauthTokens, PartnerTokens } from './partner-tokens.ts';

export interface PartnersOptions {
  readonly manifests: PartnerManifests;
  readonly registration: PartnerRegistration;
  readonly tokens: PartnerTokens;
  readonly findAddon: (id: string) => Promise<AddonRecord | undefined>;
}

export class Partners {
  readonly registration: PartnerRegistration;
  readonly tokens: PartnerTokens;
  private readonly options: PartnersOptions;

  constructor(options: PartnersOptions) {
    this.options = options;
    this.registration = options.registration;
    this.tokens = options.tokens;
  }

  /**
   * Tokens for what a partner was given.
   * @param type RFC 6749: `authorization_code` or `refresh_token`
   * @throws TailraceError `unauthorized`
   */
  async exchange(type: string, grant: string, clientSecret: string): Promise<OauthTokens> {
    if (type !== 'authorization_code' && type !== 'refresh_token')
      throw new TailraceError('bad_request', 'grant_type is authorization_code or refresh_token.');
    const { manifests, tokens, findAddon } = this.options;
    const id = await tokens.addonOfGrant(grant, type);
    const addon = id === undefined ? undefined : await findAddon(id);
    const partner = addon && (await manifests.find(addon.service));
    if (partner && !isSameSecret(partner.clientSecret, clientSecret))
      throw new TailraceError(
        'unauthorized',
        'The client_secret is wrong: it was printed when the manifest was registered (addons:manifests SERVICE prints it again).',
      );
    // One that isn't good is refused there.
    return tokens.exchange(partner ? grant : '', type);
  }
}
