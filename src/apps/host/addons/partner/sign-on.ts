/** Single sign-on at a partner's page ("Add-on Single Sign-on"): a form that the user's browser posts there. */
import { createHash } from 'node:crypto';
import type { AddonRecord } from '../model/addon-record.ts';
import type { OpenContext, SignOnForm } from '../provider.ts';
import type { PartnerManifest } from './manifest.ts';

/** @param nowMs milliseconds since the epoch; partners refuse a time that is some minutes away from theirs */
export function partnerSignOn(
  { id, name }: Pick<AddonRecord, 'id' | 'name'>,
  { ssoUrl, ssoSalt }: Pick<PartnerManifest, 'ssoUrl' | 'ssoSalt'>,
  { appName, email, userId }: OpenContext & { readonly userId: string },
  nowMs = Date.now(),
): SignOnForm {
  const timestamp = String(Math.floor(nowMs / 1_000));
  const token = createHash('sha1').update(`${id}:${ssoSalt}:${timestamp}`).digest('hex');
  const userScoped = createHash('sha256')
    .update(`${id}:${ssoSalt}:${timestamp}:${userId}:${email}`)
    .digest('hex');
  const navigation = { addon: name, appname: appName, current_user: email };
  return {
    action: ssoUrl,
    fields: {
      resource_id: id,
      resource_token: token,
      user_scoped_resource_token: userScoped,
      // As version 1 of the protocol has them.
      id,
      token,
      timestamp,
      'nav-data': Buffer.from(JSON.stringify(navigation)).toString('base64'),
      email,
      user_id: userId,
      app: appName,
      context_app: appName,
    },
  };
}
