/** A real OpenID provider, whose users sign in with their name alone, and a browser that does so. */
import { createServer, type Server } from 'node:http';
import { Provider } from 'oidc-provider';
import { temporaryFolder } from '../server.ts';

/** What the provider says of somebody. */
export interface Claims {
  readonly sub: string;
  readonly email?: string;
  readonly email_verified?: boolean;
}

export const CLIENT_ID = 'tailrace';
export const CLIENT_SECRET = 'a secret of the provider and of us';

export class IdentityProvider {
  readonly issuer: string;
  /** By the name that is typed. */
  readonly people: Map<string, Claims>;
  private readonly server: Server;

  private constructor(issuer: string, people: Map<string, Claims>, server: Server) {
    this.issuer = issuer;
    this.people = people;
    this.server = server;
  }

  static async start(port: number, redirectUri: string): Promise<IdentityProvider> {
    const people = new Map<string, Claims>();
    const issuer = `http://localhost:${port}`;
    const provider = new Provider(issuer, {
      clients: [
        {
          client_id: CLIENT_ID,
          client_secret: CLIENT_SECRET,
          redirect_uris: [redirectUri],
          token_endpoint_auth_method: 'client_secret_post',
        },
      ],
      claims: { email: ['email', 'email_verified'] },
      // In the identity token, as most providers do.
      conformIdTokenClaims: false,
      cookies: { keys: ['of this test'] },
      findAccount: (_context, id) => ({
        accountId: people.get(id)?.sub ?? id,
        claims: () => ({ ...people.get(id), sub: people.get(id)?.sub ?? id }),
      }),
      pkce: { required: () => true },
    });
    const server = createServer(provider.callback());
    await new Promise<void>((resolve) => server.listen(port, 'localhost', resolve));
    return new IdentityProvider(issuer, people, server);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** A browser without scripts: follows redirects, keeps cookies by host and port, and fills in the provider's forms. */
export class FormBrowser {
  private readonly cookies = new Map<string, Map<string, string>>();

  /** Cookies of a server, as a request has them. */
  cookieOf(url: string): string {
    return [...(this.cookies.get(new URL(url).host) ?? [])]
      .map(([name, value]) => `${name}=${value}`)
      .join('; ');
  }

  /** Goes to an address, and on to wherever that leads. @param name typed into the provider's form */
  async go(
    url: string,
    name: string,
  ): Promise<{ readonly url: string; readonly status: number; readonly text: string }> {
    let response = await this.request(url);
    for (let steps = 0; steps < 20; steps++) {
      const location = response.headers.get('location');
      if (location !== null) {
        url = new URL(location, url).href;
        response = await this.request(url);
        continue;
      }
      const text = await response.text();
      const action = /<form[^>]* action="([^"]+)"/.exec(text)?.[1];
      const prompt = /name="prompt" value="(\w+)"/.exec(text)?.[1];
      if (action === undefined || prompt === undefined) return { url, status: response.status, text };
      url = new URL(action, url).href;
      const fields = new URLSearchParams({
        prompt,
        ...(prompt === 'login' && { login: name, password: 'x' }),
      });
      response = await this.request(url, fields);
    }
    throw new Error(`${url} leads from one page to the next`);
  }

  private async request(url: string, body?: URLSearchParams): Promise<Response> {
    const response = await fetch(url, {
      method: body ? 'POST' : 'GET',
      headers: { cookie: this.cookieOf(url) },
      body,
      redirect: 'manual',
    });
    const { host } = new URL(url);
    const jar = this.cookies.get(host) ?? new Map<string, string>();
    this.cookies.set(host, jar);
    for (const cookie of response.headers.getSetCookie()) {
      const [, cookieName, value] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === '' || /max-age=0|expires=thu, 01 jan 1970/i.test(cookie)) jar.delete(cookieName);
      else jar.set(cookieName, value);
    }
    return response;
  }
}

/** The environment of somebody at another machine, who has logged in nowhere. */
export function environmentElsewhere(): Record<string, string> {
  const home = temporaryFolder();
  return {
    HOME: home,
    XDG_CONFIG_HOME: home,
    PATH: process.env.PATH ?? '',
    TAILRACE_DATA: temporaryFolder(),
  };
}
