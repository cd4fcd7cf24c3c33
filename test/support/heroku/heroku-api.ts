/**
 * A server that answers as api.heroku.com does, for what no Tailrace would answer: fields that are null, pages, credentials in URLs, refusals.
 * Shapes are those of Heroku's public JSON schema (devcenter.heroku.com/articles/platform-api-reference).
 */
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

const KEY = 'HRKU-11111111-2222-3333-4444-555555555555';
const WHEN = '2019-03-01T12:00:00Z';
const id = (n: number): string => `01234567-89ab-cdef-0123-${String(n).padStart(12, '0')}`;
const APP = { id: id(1), name: 'shop' };
const OTHER_APP = { id: id(2), name: 'billing' };

/** What a request is answered with instead, once. */
interface Refusal {
  readonly path: RegExp;
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Not once: always. */
  readonly stays?: boolean;
}

/** Values that must not be seen anywhere but where they are set. */
export const SECRETS = ['hunter2-stripe', 'pw-of-database', 'pw-of-redis', 'loki-password', 'sg-password'];

const process = (n: number, type: string, quantity: number, size: string) => ({
  app: APP,
  command: `bin/${type}`,
  created_at: WHEN,
  dyno_size: { id: id(n), name: size },
  id: id(n),
  quantity,
  size,
  type,
  updated_at: WHEN,
});
const addon = (n: number, name: string, service: string, plan: string, vars: string[], app = APP) => ({
  actions: [],
  addon_service: { id: id(n), name: service },
  app,
  billed_price: { cents: 500, contract: false, unit: 'month' },
  billing_entity: { ...app, type: 'app' },
  config_vars: vars,
  created_at: WHEN,
  id: id(n),
  name,
  plan: { id: id(n), name: `${service}:${plan}` },
  provider_id: null,
  state: 'provisioned',
  updated_at: WHEN,
  web_url: null,
});
const attachment = (n: number, name: string, addonNumber: number, addonApp = APP) => ({
  addon: { app: addonApp, id: id(addonNumber), name: `addon-${addonNumber}` },
  app: APP,
  created_at: WHEN,
  id: id(n),
  log_input_url: null,
  name,
  namespace: null,
  updated_at: WHEN,
  web_url: null,
});
const domain = (n: number, hostname: string, kind: string) => ({
  acm_status: kind === 'custom' ? 'cert issued' : null,
  acm_status_reason: null,
  app: APP,
  cname: kind === 'custom' ? `whispering-${n}.herokudns.com` : null,
  created_at: WHEN,
  hostname,
  id: id(n),
  kind,
  sni_endpoint: null,
  status: 'succeeded',
  updated_at: WHEN,
});

/** By path. Lists are answered in pages. */
const RESOURCES: Readonly<Record<string, unknown>> = {
  '': {
    acm: true,
    archived_at: null,
    build_stack: { id: id(3), name: 'heroku-22' },
    buildpack_provided_description: 'Ruby',
    created_at: WHEN,
    git_url: 'https://git.heroku.com/shop.git',
    id: APP.id,
    internal_routing: null,
    maintenance: true,
    name: APP.name,
    organization: null,
    owner: { email: 'acme@herokumanager.com', id: id(4) },
    region: { id: id(5), name: 'eu' },
    released_at: WHEN,
    repo_size: null,
    slug_size: null,
    space: null,
    stack: { id: id(3), name: 'heroku-22' },
    team: { id: id(4), name: 'acme' },
    updated_at: WHEN,
    web_url: 'https://shop-1a2b3c4d5e6f.herokuapp.com/',
  },
  '/formation': [
    process(10, 'web', 2, 'Standard-2X'),
    process(11, 'worker', 1, 'Performance-XL'),
    process(12, 'console', 0, 'Basic'),
  ],
  '/config-vars': {
    BASE_URL: 'https://shop-1a2b3c4d5e6f.herokuapp.com/start',
    CACHE_URL: 'redis://default:pw-of-redis@redis-1.c9.eu.ec2.redns.redis-cloud.com:16000/1',
    DATABASE_URL: 'postgres://u:pw-of-database@ec2-1-2-3-4.eu-west-1.compute.amazonaws.com:5432/d1',
    HEROKU_APP_NAME: 'shop',
    HEROKU_POSTGRESQL_ROSE_URL:
      'postgres://u:pw-of-database@ec2-1-2-3-4.eu-west-1.compute.amazonaws.com:5432/d1',
    INVOICES_URL: 'postgres://u:pw-of-database@ec2-9-9-9-9.eu-west-1.compute.amazonaws.com:5432/d2',
    PAPERTRAIL_API_TOKEN: 'token-of-papertrail',
    REDISCLOUD_URL: 'redis://default:pw-of-redis@redis-1.c9.eu.ec2.redns.redis-cloud.com:16000',
    SENDGRID_PASSWORD: 'sg-password',
    SENDGRID_USERNAME: 'app1@heroku.com',
    STRIPE_KEY: 'hunter2-stripe',
  },
  '/domains': [
    domain(20, 'shop-1a2b3c4d5e6f.herokuapp.com', 'heroku'),
    domain(21, 'www.example.com', 'custom'),
    domain(22, '*.shops.example.com', 'custom'),
  ],
  '/sni-endpoints': [{ id: id(23), name: 'tyrannosaurus-1' }],
  '/buildpack-installations': [
    {
      buildpack: {
        name: 'https://github.com/heroku/heroku-buildpack-ruby.git',
        url: 'https://github.com/heroku/heroku-buildpack-ruby.git',
      },
      ordinal: 1,
    },
    { buildpack: { name: 'heroku/nodejs', url: 'urn:buildpack:heroku/nodejs' }, ordinal: 0 },
    { buildpack: { name: 'heroku-community/apt', url: 'urn:buildpack:heroku-community/apt' }, ordinal: 2 },
    { buildpack: { name: 'http://example.com/pack.git', url: 'http://example.com/pack.git' }, ordinal: 3 },
  ],
  '/log-drains': [
    {
      addon: null,
      app: APP,
      created_at: WHEN,
      id: id(30),
      token: 'd.01234567-89ab-cdef-0123-456789abcdef',
      updated_at: WHEN,
      url: 'https://shop:loki-password@logs.example.com/loki',
    },
    {
      addon: null,
      app: APP,
      created_at: WHEN,
      id: id(31),
      token: 'd.11234567-89ab-cdef-0123-456789abcdef',
      updated_at: WHEN,
      url: 'syslog+tls://logs.example.com:6514',
    },
    {
      addon: { id: id(43), name: 'papertrail-flat-1' },
      app: APP,
      created_at: WHEN,
      id: id(32),
      token: 'd.21234567-89ab-cdef-0123-456789abcdef',
      updated_at: WHEN,
      url: 'syslog+tls://logs1.papertrailapp.com:1',
    },
    {
      addon: null,
      app: APP,
      created_at: WHEN,
      id: id(33),
      token: 'd.31234567-89ab-cdef-0123-456789abcdef',
      updated_at: WHEN,
      url: 'ftp://logs.example.com',
    },
  ],
  '/addons': [
    addon(40, 'postgresql-flat-1', 'heroku-postgresql', 'standard-4', [
      'DATABASE_URL',
      'HEROKU_POSTGRESQL_ROSE_URL',
    ]),
    addon(41, 'rediscloud-round-2', 'rediscloud', '30', ['REDISCLOUD_URL']),
    addon(42, 'sendgrid-square-3', 'sendgrid', 'starter', ['SENDGRID_USERNAME', 'SENDGRID_PASSWORD']),
    addon(43, 'papertrail-flat-1', 'papertrail', 'choklad', ['PAPERTRAIL_API_TOKEN', 'PAPERTRAIL_OLD']),
    addon(44, 'scheduler-solid-4', 'scheduler', 'standard', []),
    addon(45, 'postgresql-other-5', 'heroku-postgresql', 'essential-0', ['DATABASE_URL'], OTHER_APP),
  ],
  '/addon-attachments': [
    attachment(50, 'HEROKU_POSTGRESQL_ROSE', 40),
    attachment(51, 'DATABASE', 40),
    attachment(52, 'REDISCLOUD', 41),
    attachment(53, 'SENDGRID', 42),
    attachment(54, 'PAPERTRAIL', 43),
    attachment(55, 'SCHEDULER', 44),
    attachment(56, 'INVOICES', 45, OTHER_APP),
  ],
  '/collaborators': [
    {
      app: APP,
      created_at: WHEN,
      id: id(60),
      permissions: [],
      role: 'owner',
      updated_at: WHEN,
      user: { email: 'acme@herokumanager.com', federated: false, id: id(4) },
    },
    {
      app: APP,
      created_at: WHEN,
      id: id(61),
      permissions: [
        { description: 'x', name: 'view' },
        { description: 'x', name: 'manage' },
      ],
      role: 'member',
      updated_at: WHEN,
      user: { email: 'Ada@example.com', federated: false, id: id(61) },
    },
    {
      app: APP,
      created_at: WHEN,
      id: id(62),
      permissions: [{ description: 'x', name: 'view' }],
      role: null,
      updated_at: WHEN,
      user: { email: 'ben@example.com', federated: true, id: id(62) },
    },
    {
      app: APP,
      created_at: WHEN,
      id: id(63),
      permissions: [{ description: 'x', name: 'deploy' }],
      role: 'collaborator',
      updated_at: WHEN,
      user: { email: 'cleo@example.com', federated: false, id: id(63) },
    },
  ],
  '/features': [
    {
      created_at: WHEN,
      description: 'x',
      doc_url: 'x',
      enabled: false,
      id: id(70),
      name: 'preboot',
      state: 'general',
      updated_at: WHEN,
      display_name: null,
      feedback_email: null,
    },
    {
      created_at: WHEN,
      description: 'x',
      doc_url: 'x',
      enabled: true,
      id: id(71),
      name: 'http-session-affinity',
      state: 'general',
      updated_at: WHEN,
      display_name: null,
      feedback_email: null,
    },
  ],
  '/pipeline-couplings': {
    app: APP,
    created_at: WHEN,
    id: id(80),
    pipeline: { id: id(81) },
    stage: 'production',
    updated_at: WHEN,
  },
  '/webhooks': [{ id: id(82) }],
  '/releases': [
    {
      addon_plan_names: [],
      app: APP,
      created_at: WHEN,
      current: true,
      description: 'Deploy 1a2b3c4d',
      eligible_for_rollback: true,
      id: id(90),
      output_stream_url: null,
      slug: { id: id(91) },
      status: 'succeeded',
      updated_at: WHEN,
      user: { email: 'ada@example.com', id: id(61) },
      version: 412,
    },
  ],
};
/** Entries of a page: fewer than its lists have. */
const PAGE = 2;

export class HerokuApi {
  readonly key = KEY;
  /** `GET /apps/shop` of every request, in order. */
  readonly requests: string[] = [];
  refusals: Refusal[] = [];
  url = '';
  private readonly server: HttpServer;

  private constructor() {
    this.server = createServer((request, response) => this.answer(request, response));
  }

  static async start(): Promise<HerokuApi> {
    const api = new HerokuApi();
    await new Promise<void>((resolve) => api.server.listen(0, '127.0.0.1', resolve));
    api.url = `http://127.0.0.1:${(api.server.address() as AddressInfo).port}`;
    return api;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    this.requests.push(`${request.method} ${path}`);
    const send = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
    };
    const refusal = this.refusals.find((one) => one.path.test(path));
    if (refusal) {
      if (!refusal.stays) this.refusals = this.refusals.filter((one) => one !== refusal);
      send(refusal.status, refusal.body, refusal.headers);
    } else if (request.headers.authorization !== `Bearer ${KEY}`)
      send(401, '{"id":"unauthorized","message":"Invalid credentials provided."}');
    else if (request.headers.accept !== 'application/vnd.heroku+json; version=3')
      send(406, '{"id":"bad_version","message":"Unsupported version."}');
    else this.answerWith(resourceAt(path), request.headers.range, send);
  }

  private answerWith(
    found: unknown,
    range = '',
    send: (status: number, body: string, headers?: Readonly<Record<string, string>>) => void,
  ): void {
    if (found === undefined) send(404, '{"id":"not_found","message":"Couldn\'t find that app."}');
    else if (!Array.isArray(found)) send(200, JSON.stringify(found));
    else {
      const from = Number(/^id \](\d+)\.\./.exec(range)?.[1] ?? 0);
      const page = JSON.stringify(found.slice(from, from + PAGE));
      if (from + PAGE >= found.length) send(200, page);
      else send(206, page, { 'next-range': `id ]${from + PAGE}..; max=${PAGE}`, 'accept-ranges': 'id' });
    }
  }
}

function resourceAt(path: string): unknown {
  const [, app, rest] = /^\/apps\/([^/]+)(.*)$/.exec(path) ?? [];
  return app === APP.name || app === APP.id ? RESOURCES[rest] : undefined;
}
