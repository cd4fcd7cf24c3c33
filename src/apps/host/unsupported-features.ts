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
    'There are no teams or spaces here: access:add gives somebody a role, in all apps or in one, and authorizations:create makes a key with a scope.',
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
  databaseCopy:
    'A file carries a database: `pg_dump -Fc` writes one of any database, pg:backups:restore reads it, pg:backups:download fetches one; config:get DATABASE_URL is the address here.',
  databaseVersion:
    'A database keeps the version that it was made with: install the newer one, make another database with addons:create, copy the data with pg:backups:restore, and promote it (pg:promote, redis:promote).',
  databaseUsers:
    'A database has one user here, whose address is in its config var (pg:credentials:url); `tailrace pg:psql` makes others with CREATE ROLE, and redis:cli with ACL SETUSER.',
  databaseSettings: '`tailrace pg:psql` sets what its owner may: ALTER DATABASE … SET name = value.',
  databaseNames:
    'Databases are add-ons here: addons:create postgresql, addons:attach, addons:upgrade, addons:destroy; pg:info, pg:psql and pg:wait are written without `data:`.',
  maintenances:
    'No maintenance is done by itself: a database changes when you change it, see doctor and addons:info.',
  keyValue:
    '`redis:cli` asks and changes it itself (CONFIG SET, CONFIG RESETSTAT); how much memory it has is its plan (addons:upgrade).',
  favorites:
    'There are no favorites and no dashboard here: `tailrace apps` lists all apps, `tailrace status` says how they are, open --logs shows their lines.',
  difference:
    '`tailrace config --shell` and `tailrace info --shell` print an app line by line, and `diff` compares what they print.',
  errors:
    'The errors of an app are lines of its stream: `tailrace logs --level error --since 24h`, with --source heroku those of the platform alone.',
  completion:
    '`tailrace completion bash` (zsh, fish) prints what completes commands, options and names; `tailrace help completion` says where to put it.',
  buildpackRegistry:
    'Buildpacks have no registry here: buildpacks:add takes a name such as heroku/nodejs, the address of a git repository or of an archive, or a folder.',
  commandList: '`tailrace help` lists all commands, and with a name behind it says how that one is used.',
  oneOff:
    '`tailrace run` runs any command in a dyno of its own: `tailrace run rails console`, `tailrace run rake test`.',
  localCommand:
    "A shell runs a command with what .env says: `(set -a; . ./.env; exec COMMAND)`; `tailrace run COMMAND` runs it on the server, with the app's config vars.",
  assistants:
    'There is no prompt and no MCP server here: every command can be run by a program, most of them with --json, and the API is described at GET /openapi.json.',
  plugins: 'There are no plugins here: all commands are built in (`tailrace help`).',
  upgrade:
    "It is upgraded by what has installed it: npm, Debian's apt, an image; docs/operating.md says how, CHANGELOG.md what is new.",
  secondFactor:
    "A second factor is the identity provider's to ask for (TAILRACE_OIDC_ISSUER); passwords of this server have none.",
  logins:
    'A login for each server is kept by `tailrace login --url URL`; TAILRACE_URL says which one is meant, logout ends it, and authorizations lists the keys.',
  hostNames:
    '`tailrace domains` lists host names; each answers as soon as domains:add has ended, and DNS is yours.',
  ports:
    "A dyno's port is one of the server's machine: `tailrace ps:exec web.1 -- printenv PORT` says which, and `ssh -L` forwards it.",
  otherIntake:
    'Lines come in at POST /logs here, as text, NDJSON or JSON, and at POST /v1/logs as OTLP; the forms of Loki, Elasticsearch, Splunk and Datadog are not read: see docs/senders.md.',
  otherSignals: 'Only logs are taken here, at POST /v1/logs: send traces and metrics elsewhere.',
  health: 'GET /health says whether this server works: 200, or 503 with a sentence.',
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
  [
    /\/loki\/api\/v1\/push$|^\/services\/collector(\/|$)|\/_bulk$|^\/(api\/v2\/logs|v1\/input|log|logs\/)$/,
    'otherIntake',
  ],
  [/^\/v1\/(traces|metrics)$/, 'otherSignals'],
  [/^\/(healthz|livez|readyz|ping)$/, 'health'],
];

/** What to use for a path of Heroku's API where nothing is. @param path without its query @returns undefined for others */
export function unsupportedPath(path: string): string | undefined {
  const found = PATHS.find(([pattern]) => pattern.test(path));
  return found && UNSUPPORTED[found[1]];
}

/** Heroku's commands that `tailrace` hasn't, the first that fits. */
const COMMANDS: readonly (readonly [RegExp, Feature])[] = [
  [/^(certs|_certs):|^domains:update$/, 'certs'],
  [/^domains:/, 'hostNames'],
  [/^(ci|reviewapps)(:|$)/, 'tests'],
  [/^pipelines:/, 'pipelines'],
  [/^(webhooks|notifications)(:|$)/, 'webhooks'],
  [/^(teams|orgs|members|spaces|trusted-ips|drains:(get|set))(:|$)/, 'teams'],
  [/^(apps:)?(join|leave|lock|unlock|transfer|sharing.*)$/, 'owners'],
  [/^(2fa|auth:2fa|twofactor)(:|$)/, 'secondFactor'],
  [/^(accounts|sessions)(:|$)/, 'logins'],
  [/^(keys|clients)(:|$)/, 'keys'],
  [/^(dashboard$|apps:favorites(:|$))/, 'favorites'],
  [/^apps:diff$/, 'difference'],
  [/^apps:errors$/, 'errors'],
  [/^autocomplete(:|$)/, 'completion'],
  [/^buildpacks:/, 'buildpackRegistry'],
  [/^(commands|search|which)$/, 'commandList'],
  [/^(console|rake)$/, 'oneOff'],
  [/^local:/, 'localCommand'],
  [/^(mcp|repl)(:|$)/, 'assistants'],
  [/^plugins(:|$)/, 'plugins'],
  [/^(update|version:info)$/, 'upgrade'],
  [/^container(:|$)/, 'images'],
  [/^ps:autoscale:/, 'autoscaling'],
  [/^ps:(forward|socks)$/, 'ports'],
  [/^usage(:|$)/, 'billing'],
  [/^(regions|stack|apps:stacks|stack:set)(:|$)/, 'machine'],
  [/^telemetry(:|$)/, 'telemetry'],
  [/^(data:)?(pg|redis):upgrade(:|$)/, 'databaseVersion'],
  [/^(data:)?(pg|redis):credentials(:|$)/, 'databaseUsers'],
  [/^(data:)?pg:settings(:|$)/, 'databaseSettings'],
  [/^pg:(push|pull|copy)$/, 'databaseCopy'],
  [/^data:maintenances(:|$)/, 'maintenances'],
  [/^data:/, 'databaseNames'],
  [/^redis:/, 'keyValue'],
  [/^pg:/, 'database'],
];

/** What to use for a command of Heroku's that `tailrace` hasn't. @returns undefined for what isn't one */
export function unsupportedCommand(name: string): string | undefined {
  const found = COMMANDS.find(([pattern]) => pattern.test(name));
  return found && UNSUPPORTED[found[1]];
}
