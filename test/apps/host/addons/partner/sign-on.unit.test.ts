import { describe, expect, it } from 'vitest';
import { partnerSignOn } from '../../../../../src/apps/host/addons/partner/sign-on.ts';

describe('single sign-on', () => {
  it('has the tokens of the published formulas', () => {
    // The example of the protocol's page: SHA1("123:2f97bfa52ca102f8874716e2eb1d3b4920ad0be4:1267597772").
    const { action, fields } = partnerSignOn(
      { id: '123', name: 'shop-errors' },
      { ssoUrl: 'https://errorbucket.com/sso/login', ssoSalt: '2f97bfa52ca102f8874716e2eb1d3b4920ad0be4' },
      { appName: 'shop', email: 'me@example.com', userId: 'u-1' },
      1_267_597_772_999,
    );
    expect(action).toBe('https://errorbucket.com/sso/login');
    expect(fields).toMatchObject({
      resource_id: '123',
      resource_token: 'bb466eb1d6bc345d11072c3cd25c311f21be130d',
      token: 'bb466eb1d6bc345d11072c3cd25c311f21be130d',
      timestamp: '1267597772',
      email: 'me@example.com',
      user_id: 'u-1',
      app: 'shop',
      context_app: 'shop',
    });
    // SHA-256 of "123:<salt>:1267597772:u-1:me@example.com".
    expect(fields.user_scoped_resource_token).toBe(
      '249c2676b224999ad80656b566907f6ce3bf5fd68ad5c5ab35a4f786b6630172',
    );
    expect(JSON.parse(Buffer.from(fields['nav-data'], 'base64').toString())).toEqual({
      addon: 'shop-errors',
      appname: 'shop',
      current_user: 'me@example.com',
    });
  });
});
