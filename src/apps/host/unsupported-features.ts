/** What Heroku has and isn't here, by Heroku's word: a sentence that says what to use. */
export const UNSUPPORTED = {
  certs:
    'Apps have no certificates of their own: the server has them (TAILRACE_TLS_CERT), or nginx, Caddy or another load balancer in front of it; name the host with domains:add.',
  pipelines:
    'There are no pipelines here: `tailrace promote -a APP --to OTHER` releases what one app runs to another.',
  tests:
    'No tests and no review apps run here: run tests where the code is pushed from; `tailrace create --from app.json` makes an app like another.',
  exec: "The official ps:exec and ps:copy go through Heroku's own servers: here it is `tailrace ps:exec web.1 bash`, `tailrace ps:copy FILE -d web.1`, or `heroku run:inside web.1 bash`.",
  webhooks:
    "There are no webhooks here: releases, builds and dynos speak in the app's stream, which a drain brings to any address (drains:add).",
  teams:
    'There are no teams or spaces here: whoever has an API key may use it (authorizations:create makes one with a scope).',
  owners:
    'Apps belong to the server here, not to one of its people: access:add and access:remove say who may do what in one.',
  keys: 'Keys are API keys here, for git too: authorizations:create makes one.',
  images: 'Docker images are not run here: push the code with a Procfile, and buildpacks build it.',
  slugs: 'Slugs are made by builds here: git push, `tailrace push`, or POST /apps/APP/builds.',
  autoscaling: 'Nothing scales by itself here: ps:scale does, from cron too.',
  billing: 'Nothing is billed here: there are no invoices and no usage.',
  machine: 'There is one region and one stack here, this machine: `localhost` and `local`.',
  telemetry: 'Drains carry logs here, also as OTLP: drains:add URL --format otlp.',
  database:
    "`tailrace pg:psql -c 'SELECT …'` asks the database itself, `pg_dump` and pg:backups copy it; the official `heroku pg:` commands that ask it with psql work with this server.",
  keyValue:
    '`redis:cli` asks and changes it itself (CONFIG SET, CONFIG RESETSTAT); how much memory it has is its plan (addons:upgrade).',
  description: 'The API is described by OpenAPI here: GET /openapi.json.',
} as const;

type Feature = keyof typeof UNSUPPORTED;

/** Heroku's paths where nothing is, the first that fits. */
const PATHS: readonly (readonly [RegExp, Feature])[] = [
  [/^\/(pipelines|apps|addons)\/[^/]+\/webhook/, 'webhooks'],
  [/^\/teams\/apps\/|^\/organizations\/apps\/|^\/account\/app-transfers(\/|$)/, 'owners'],
  [/^\/(account|teams|users|enterprise-accounts)\/(.+\/)?(invoice|credits|usage|delinquency)/, 'billing'],
  [/^\/apps\/[^/]+\/usage|^\/(usage|account|billing)\/(addons|app)/, 'billing'],
  [/^\/(teams|organizations|enterprise-accounts|spaces)(\/|$)/, 'teams'],
  [/^\/(pipelines\/[^/]+\/)?(review-app|test-run|test-node)/, 'tests'],
  [/^\/apps\/[^/]+\/(review-app|test-run)/, 'tests'],
  [/^\/pipeline/, 'pipelines'],
  [/^\/(oauth\/(clients|sessions|tokens)|account\/keys)(\/|$)/, 'keys'],
  [/^\/apps\/[^/]+\/(sni-endpoints|ssl-endpoints|acm)(\/|$)/, 'certs'],
  [/^\/apps\/[^/]+\/oci-images(\/|$)/, 'images'],
  [/^\/apps\/[^/]+\/slugs$/, 'slugs'],
  [/^\/redis\/v0\/databases\//, 'keyValue'],
  [/^\/(client\/v11|postgres\/v0|data)\//, 'database'],
  [/^\/schema$/, 'description'],
];

/** What to use for a path of Heroku's API where nothing is. @param path without its query @returns undefined for others */
export function unsupportedPath(path: string): string | undefined {
  const found = PATHS.find(([pattern]) => pattern.test(path));
  return found && UNSUPPORTED[found[1]];
}

/** Heroku's commands that `tailrace` hasn't, the first that fits. */
const COMMANDS: readonly (readonly [RegExp, Feature])[] = [
  [/^(certs|_certs):/, 'certs'],
  [/^(ci|reviewapps)(:|$)/, 'tests'],
  [/^pipelines:/, 'pipelines'],
  [/^(webhooks|notifications)(:|$)/, 'webhooks'],
  [/^(teams|orgs|members|spaces|trusted-ips|drains:(get|set))(:|$)/, 'teams'],
  [/^(apps:)?(join|leave|lock|unlock|transfer|sharing.*)$/, 'owners'],
  [/^(keys|clients|sessions|accounts|2fa|auth:2fa)(:|$)/, 'keys'],
  [/^container(:|$)/, 'images'],
  [/^ps:autoscale:/, 'autoscaling'],
  [/^ps:(forward|socks)$/, 'exec'],
  [/^usage(:|$)/, 'billing'],
  [/^(regions|stack|apps:stacks|stack:set)(:|$)/, 'machine'],
  [/^telemetry(:|$)/, 'telemetry'],
  [/^redis:/, 'keyValue'],
  [/^(pg|data):/, 'database'],
];

/** What to use for a command of Heroku's that `tailrace` hasn't. @returns undefined for what isn't one */
export function unsupportedCommand(name: string): string | undefined {
  const found = COMMANDS.find(([pattern]) => pattern.test(name));
  return found && UNSUPPORTED[found[1]];
}
