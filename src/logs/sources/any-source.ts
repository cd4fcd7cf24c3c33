/**
 * A token of the source `*` speaks for every source of its app: its lines keep the names they come with. It is for other
 * routers (Heroku's, another tailrace), whose drains carry the lines of many sources.
 */
import { ANY_SOURCE, type Tenant } from '../router/tenants.ts';

/** What lines are called whose own name can't be one. */
const FALLBACK = 'app';
const SOURCE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,47}$/;
/** Names remembered for one token. */
const NAMES_MAX = 200;

const speakers = new WeakMap<Tenant, Map<string, Tenant>>();

/** Whom a line with this APP-NAME speaks for, when its token is `tenant`'s. */
export function speakerOf(tenant: Tenant, name: string): Tenant {
  if (tenant.source !== ANY_SOURCE) return tenant;
  let named = speakers.get(tenant);
  if (!named) {
    named = new Map();
    speakers.set(tenant, named);
  }
  let speaker = named.get(name);
  if (!speaker) {
    const source = SOURCE_NAME.test(name) && !name.startsWith('t.') ? name : FALLBACK;
    const sourceBytes = Buffer.from(source);
    // The express lane compares APP-NAMEs with the token: here it is the name itself.
    speaker = { token: tenant.token, tokenBytes: Buffer.from(name), app: tenant.app, source, sourceBytes };
    if (named.size >= NAMES_MAX) named.clear();
    named.set(name, speaker);
  }
  return speaker;
}
