/** What the audit stream says of a request besides its route: names and numbers, never the values of secrets. */
import { isJsonObject, type JsonObject, scalarText } from '../../common/json-object.ts';
import { redactUrl } from '../../logs/drains/options/drain-record.ts';

type AuditedFields = Readonly<Record<string, string | undefined>>;

/** Of a source's token: enough to tell it from others. */
const TOKEN_SHOWN = 6;

/** By the routes whose requests say more in their bodies. */
const FIELDS_OF: Readonly<Record<string, (body: JsonObject) => AuditedFields>> = {
  'POST /apps': ({ name, imported_from: from }) => ({
    name: scalarText(name),
    imported_from: scalarText(from),
  }),
  'PATCH /apps/:app': ({ name, maintenance }) => ({
    name: scalarText(name),
    maintenance: scalarText(maintenance),
  }),
  'PATCH /apps/:app/config-vars': (body) => ({ names: Object.keys(body).join(',') }),
  'POST /apps/:app/dynos': ({ command, type }) => ({ command: scalarText(command), type: scalarText(type) }),
  'POST /apps/:app/dynos/:dyno': ({ command }) => ({ command: scalarText(command) }),
  'PUT /apps/:app/formation': ({ updates }) => ({ formation: list(updates, formationOf) }),
  'PATCH /apps/:app/formation': ({ updates }) => ({ formation: list(updates, formationOf) }),
  'PATCH /apps/:app/formation/:type': (body) => ({ formation: formationOf(body) }),
  'POST /apps/:app/releases': ({ release, slug }) => ({
    release: scalarText(release),
    slug: scalarText(slug),
  }),
  'POST /apps/:app/log-drains': ({ url }) => ({ url: typeof url === 'string' ? redactUrl(url) : undefined }),
  'POST /apps/:app/tokens': ({ source }) => ({ source: scalarText(source) }),
  'POST /apps/:app/domains': ({ hostname }) => ({ hostname: scalarText(hostname) }),
  'POST /apps/:app/addons': ({ plan, name }) => ({ plan: scalarText(nameOf(plan)), name: scalarText(name) }),
  'POST /addon-attachments': ({ addon, app }) => ({
    addon: scalarText(nameOf(addon)),
    app: scalarText(nameOf(app)),
  }),
  'PUT /apps/:app/buildpack-installations': ({ updates }) => ({
    buildpacks: list(updates, ({ buildpack }) => (typeof buildpack === 'string' ? redactUrl(buildpack) : '')),
  }),
  'POST /apps/:app/line-deletions': ({ from, to, q, source, dyno, level, dry_run }) => ({
    since: scalarText(from),
    until: scalarText(to),
    q: typeof q === 'string' ? queryWithoutValues(q) : undefined,
    source: scalarText(source),
    dyno: scalarText(dyno),
    level: scalarText(level),
    dry_run: scalarText(dry_run),
  }),
  'PATCH /apps/:app/log-limits': (body) => ({
    limits: Object.entries(body)
      .map(([name, value]) => `${name}:${value === null ? 'default' : scalarText(value)}`)
      .join(','),
  }),
  'POST /people': ({ email, role, app }) => ({
    email: scalarText(email),
    role: scalarText(role),
    for: scalarText(app),
  }),
  'POST /apps/:app/collaborators': ({ user, role }) => ({
    email: scalarText(emailOf(user)),
    role: scalarText(role),
  }),
  'PATCH /apps/:app/collaborators/:person': ({ role }) => ({ role: scalarText(role) }),
  'POST /oauth/authorizations': ({ description, scope, apps }) => ({
    description: scalarText(description),
    scope: list(scope),
    apps: list(apps),
  }),
};

/** @param route method and pattern: `PATCH /apps/:app/config-vars` */
export function auditedFields(route: string, body: unknown): AuditedFields {
  return Object.hasOwn(FIELDS_OF, route) && isJsonObject(body) ? FIELDS_OF[route](body) : {};
}

/** What a path names besides its app: drains may be named by their addresses, which hold credentials; a token is one. */
export function auditedParams(params: Readonly<Record<string, string>>): AuditedFields {
  const { app: _app, '*': rest, token, ...named } = params;
  const all = {
    ...named,
    ...(rest !== undefined && { drain: rest }),
    ...(token !== undefined && { token: `${token.slice(0, TOKEN_SHOWN)}****` }),
  };
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [name, value.includes(':') ? redactUrl(value) : value]),
  );
}

function formationOf({ type, quantity, size }: JsonObject): string {
  const words = [scalarText(type), scalarText(quantity), scalarText(size)];
  return words.filter((word) => word !== undefined).join(':');
}

/** Of a search by which lines are deleted, the names of fields: what it looks for must be nowhere afterwards. */
function queryWithoutValues(query: string): string {
  const parts = query.replace(/"[^"]*"?|[^\s()"]+/g, (part) => {
    if (/^(?:OR|AND|NOT)$/.test(part)) return part;
    return `${/^-?[\w.]+:/.exec(part)?.[0] ?? ''}…`;
  });
  return parts.replaceAll('……', '…');
}

function nameOf(value: unknown): unknown {
  return isJsonObject(value) ? (value.name ?? value.id) : value;
}

function emailOf(value: unknown): unknown {
  return isJsonObject(value) ? (value.email ?? value.id) : value;
}

function list(values: unknown, show: (one: JsonObject) => string = () => ''): string | undefined {
  if (!Array.isArray(values)) return undefined;
  return values.map((one) => (isJsonObject(one) ? show(one) : (scalarText(one) ?? ''))).join(',');
}
