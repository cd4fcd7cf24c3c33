/**
 * A partner's service that follows Heroku's published add-on partner protocol, version 3: an HTTP server with its own resources, that
 * checks every request strictly and does what is planned.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** A resource that it holds, by the add-on's uuid. */
export interface PartnerResource {
  plan: string;
  readonly name: string;
  readonly callbackUrl: string;
  readonly grantCode: string;
  readonly logInputUrl?: string;
  readonly logDrainToken?: string;
  readonly options: Record<string, string>;
  tokens?: { readonly access_token: string; readonly refresh_token: string; readonly expires_in: number };
}

export interface PartnerRequest {
  readonly method: string;
  readonly uuid?: string;
  readonly body?: Record<string, unknown>;
}

/** What it answers: by itself; late; never; or as given, after it has made the resource or not. */
export type PlannedAnswer =
  | 'provide'
  | 'pending'
  | 'never'
  | 'reset'
  | {
      readonly status: number;
      readonly text: string;
      readonly makes?: boolean;
      readonly headers?: Record<string, string>;
    };

export class PartnerService {
  readonly resources = new Map<string, PartnerResource>();
  readonly requests: PartnerRequest[] = [];
  /** What the protocol doesn't allow, as it was seen. */
  readonly faults: string[] = [];
  /** Forms that browsers posted to its sso_url, checked. */
  readonly signOns: Record<string, string>[] = [];
  readonly id: string;
  private readonly more: object;
  clientSecret = '';
  port = 0;
  answer: (request: PartnerRequest) => PlannedAnswer | Promise<PlannedAnswer> = () => 'provide';
  /** What it answers beside the config. */
  extra: (uuid: string) => object = () => ({});
  private server: HttpServer | undefined;

  /** @param more of the manifest's `api` */
  constructor(id: string, more: object = {}) {
    this.id = id;
    this.more = more;
  }

  get prefix(): string {
    return this.id.toUpperCase().replaceAll('-', '_');
  }

  get manifest(): Record<string, unknown> {
    const origin = `http://127.0.0.1:${this.port}`;
    return {
      id: this.id,
      name: `The ${this.id}`,
      api: {
        config_vars_prefix: this.prefix,
        config_vars: [`${this.prefix}_URL`, `${this.prefix}_TOKEN`],
        password: 'super-secret',
        sso_salt: 'the-salt',
        regions: ['us', 'eu'],
        requires: ['log_input', 'syslog_drain', 'many_per_app', 'attachable'],
        production: { base_url: `${origin}/heroku/resources`, sso_url: `${origin}/sso/login` },
        version: '3',
        ...this.more,
      },
    };
  }

  config(uuid: string): Record<string, string> {
    return { [`${this.prefix}_URL`]: `https://${this.id}.example.com/${uuid}` };
  }

  async listen(port = this.port): Promise<this> {
    this.server = createServer((request, response) => {
      this.onRequest(request, response).catch((error: unknown) => {
        this.faults.push(String(error));
        response.destroy();
      });
    });
    this.server.listen({ host: '127.0.0.1', port });
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
    return this;
  }

  async close(): Promise<void> {
    this.server?.closeAllConnections();
    if (this.server?.listening) await new Promise((resolve) => this.server?.close(resolve));
  }

  /** How often something was asked for. */
  count(method: string, uuid?: string): number {
    return this.requests.filter((one) => one.method === method && (uuid === undefined || one.uuid === uuid))
      .length;
  }

  /** Exchanges the resource's grant, or its refresh token. */
  async exchange(uuid: string, type = 'authorization_code', secret = this.clientSecret): Promise<Response> {
    const resource = this.resource(uuid);
    const form = new URLSearchParams({ grant_type: type, client_secret: secret });
    if (type === 'refresh_token') form.set('refresh_token', resource.tokens?.refresh_token ?? '');
    else form.set('code', resource.grantCode);
    const response = await fetch(new URL('/oauth/token', resource.callbackUrl), {
      method: 'POST',
      body: form,
    });
    if (response.ok) resource.tokens = (await response.clone().json()) as PartnerResource['tokens'];
    return response;
  }

  /** A request to the Platform API with the resource's access token; gets one first if there is none. */
  async call(uuid: string, method: string, path: string, body?: unknown): Promise<Response> {
    const resource = this.resource(uuid);
    if (!resource.tokens) await this.exchange(uuid);
    return fetch(
      path.startsWith('/')
        ? new URL(path, resource.callbackUrl)
        : `${resource.callbackUrl}${path && `/${path}`}`,
      {
        method,
        headers: {
          accept: 'application/vnd.heroku+json; version=3',
          authorization: `Bearer ${resource.tokens?.access_token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      },
    );
  }

  /** Sets the config and says that it is there, as after a 202. */
  async finish(uuid: string): Promise<void> {
    const config = Object.entries(this.config(uuid)).map(([name, value]) => ({ name, value }));
    for (const answer of [
      await this.call(uuid, 'PATCH', 'config', { config }),
      await this.call(uuid, 'POST', 'actions/provision'),
    ])
      if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  }

  resource(uuid: string): PartnerResource {
    const resource = this.resources.get(uuid);
    if (!resource) throw new Error(`no resource ${uuid}`);
    return resource;
  }

  private async onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const { method = '', url = '' } = request;
    if (url === '/sso/login') return this.onSignOn(method, text, response);
    const [, uuid] = /^\/heroku\/resources(?:\/([0-9a-f-]{36}))?$/.exec(url) ?? [];
    const body = text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>);
    this.check(request, url, body);
    const seen = { method, uuid, body };
    this.requests.push(seen);
    const planned = await this.answer(seen);
    const id = uuid ?? String(body?.uuid);
    if (planned === 'never') return;
    if (planned === 'reset') {
      response.destroy();
      return;
    }
    if (typeof planned === 'object') {
      if (planned.makes) this.make(seen, id);
      response.writeHead(planned.status, { 'content-type': 'application/json', ...planned.headers });
      response.end(planned.text);
      return;
    }
    const known = this.resources.has(id);
    this.make(seen, id);
    if (method === 'DELETE') {
      response.writeHead(known ? 204 : 410).end();
      return;
    }
    const status = method === 'PUT' ? 200 : planned === 'pending' ? 202 : 201;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({
        id,
        message: `Your ${this.id} is ${planned === 'pending' ? 'being made' : 'there'}.`,
        ...(planned === 'pending' ? {} : { config: this.config(id) }),
        ...this.extra(id),
      }),
    );
  }

  /** By the uuid, so that the same asked twice is done once. */
  make({ method, body = {} }: PartnerRequest, id: string): void {
    if (method === 'DELETE') this.resources.delete(id);
    else if (method === 'PUT') this.resource(id).plan = String(body.plan);
    else
      this.resources.set(id, {
        ...this.resources.get(id),
        plan: String(body.plan),
        name: String(body.name),
        callbackUrl: String(body.callback_url),
        grantCode: String((body.oauth_grant as { code: string }).code),
        options: body.options as Record<string, string>,
        logInputUrl: body.log_input_url as string | undefined,
        logDrainToken: body.log_drain_token as string | undefined,
      });
  }

  private check({ method, headers }: IncomingMessage, url: string, body?: Record<string, unknown>): void {
    const expect = (isRight: boolean, what: string) => {
      if (!isRight)
        this.faults.push(`${method} ${url}: ${what} ${JSON.stringify(headers)} ${JSON.stringify(body)}`);
    };
    const basic = `Basic ${Buffer.from(`${this.id}:super-secret`).toString('base64')}`;
    expect(headers.authorization === basic, 'authorization');
    expect(headers.accept === 'application/vnd.heroku-addons+json; version=3', 'accept');
    expect(/^\/heroku\/resources(\/[0-9a-f-]{36})?$/.test(url), 'path');
    if (method === 'DELETE') {
      expect(body === undefined, 'a body');
      return;
    }
    expect(headers['content-type'] === 'application/json', 'content type');
    if (method === 'PUT') {
      expect(typeof body?.plan === 'string', 'plan');
      return;
    }
    expect(method === 'POST' && url === '/heroku/resources', 'method');
    const grant = body?.oauth_grant as { code: string; expires_at: string; type: string };
    const leftMs = Date.parse(grant.expires_at) - Date.now();
    expect(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(String(body?.uuid)), 'uuid');
    expect(typeof body?.name === 'string' && typeof body.plan === 'string', 'name and plan');
    expect(body?.region === 'amazon-web-services::us-east-1', 'region');
    expect(String(body?.callback_url).endsWith(`/addons/${body?.uuid}`), 'callback_url');
    expect(grant.type === 'authorization_code' && grant.code.length > 20, 'oauth_grant');
    expect(leftMs > 0 && leftMs <= 300_000, 'expires_at');
    expect(
      Object.values(body?.options as object).every((value) => typeof value === 'string'),
      'options',
    );
  }

  private onSignOn(method: string, text: string, response: ServerResponse): void {
    const form = Object.fromEntries(new URLSearchParams(text));
    const hash = (kind: string, ...parts: string[]) => createHash(kind).update(parts.join(':')).digest('hex');
    const { resource_id: id, timestamp, user_id: user, email } = form;
    const age = Math.abs(Date.now() / 1_000 - Number(timestamp));
    const isRight =
      method === 'POST' &&
      this.resources.has(id) &&
      age < 120 &&
      form.resource_token === hash('sha1', id, 'the-salt', timestamp) &&
      form.user_scoped_resource_token === hash('sha256', id, 'the-salt', timestamp, user, email);
    if (isRight) this.signOns.push(form);
    response.writeHead(isRight ? 200 : 403, { 'content-type': 'text/html' }).end(isRight ? 'welcome' : 'no');
  }
}
