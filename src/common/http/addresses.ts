/** Every address of a server that others are told is put together here: of its API and page, of its apps, of their git repositories. */
import type { FastifyRequest } from 'fastify';

/** Apps of a server that has no domain for them are below this one, which is the machine itself (RFC 6761 section 6.3). */
export const LOCAL_DOMAIN = 'localhost';

export interface AddressesOptions {
  /** `TAILRACE_PUBLIC_URL`, without a slash at its end; '' when unset. */
  readonly publicUrl: string;
  /** `TAILRACE_APPS_DOMAIN`, as an address: `https://apps.example.com`; '' when unset. */
  readonly appsUrl: string;
  /** Where the API listens, for programs on this machine; known once it does. */
  readonly local: () => string;
  /** The HTTP router's port, without TLS. */
  readonly routerPort: () => number;
}

/** What others are told: addresses of the API, its page, apps and their repositories. */
export class Addresses {
  /** As `Origin` has it; '' when unset. */
  readonly publicUrl: string;
  private readonly options: AddressesOptions;

  constructor(options: AddressesOptions) {
    this.publicUrl = options.publicUrl;
    this.options = options;
  }

  /** The host name in it; undefined when unset. */
  get publicHost(): string | undefined {
    return this.publicUrl === '' ? undefined : new URL(this.publicUrl).hostname;
  }

  /** Where the API listens, for programs on this machine: it need not be reachable from elsewhere. */
  get local(): string {
    return this.options.local();
  }

  /** Where the API is for those that didn't ask it: what is printed, and what partners of add-ons are told. */
  get outside(): string {
    return this.publicUrl || this.local;
  }

  /** Where the API is for whoever sent a request: at the public address, or where it was sent to. */
  forClient(request: FastifyRequest): string {
    return this.publicUrl || (addressFor(request) ?? this.local);
  }

  /** The host name for what is at another port, which no proxy of the API passes on: whoever comes without one stays at the name it has used. */
  hostFor(request: FastifyRequest): string {
    const isForwarded = request.headers['x-forwarded-for'] !== undefined;
    return isForwarded ? new URL(this.forClient(request)).hostname : request.hostname;
  }

  /** The same as `forClient`, for addresses that are opened in a browser: cookies of 127.0.0.1 aren't those of localhost. */
  forBrowser(request: FastifyRequest): string {
    return this.forClient(request).replace('//127.0.0.1', `//${LOCAL_DOMAIN}`);
  }

  /** Does whoever sent a request reach the server over TLS, so that its cookies are for that alone? */
  isSecure(request: FastifyRequest): boolean {
    return this.publicUrl.startsWith('https:') || isBehindTls(request);
  }

  /** An app's repository. */
  git(appName: string, request: FastifyRequest): string {
    return `${this.forClient(request)}/${appName}.git`;
  }

  /** An app's own host name. */
  appHost(appName: string): string {
    return `${appName}.${this.appsDomain}`;
  }

  /** The app's name in its own host name; undefined for other hosts. */
  appNameOf(host: string): string | undefined {
    const end = `.${this.appsDomain}`;
    return host.endsWith(end) ? host.slice(0, -end.length) : undefined;
  }

  /** An app's page. */
  app(appName: string): string {
    const { appsUrl, routerPort } = this.options;
    if (appsUrl === '') return `http://${this.appHost(appName)}:${routerPort()}/`;
    return `${appsUrl.replace('//', `//${appName}.`)}/`;
  }

  /** What stands behind the names of apps. */
  get appsDomain(): string {
    return domainOf(this.options.appsUrl);
  }
}

/** The domain of apps, of `TAILRACE_APPS_DOMAIN` as an address; '' gives the machine's own. */
function domainOf(appsUrl: string): string {
  return appsUrl === '' ? LOCAL_DOMAIN : new URL(appsUrl).hostname;
}

/** Is the client on the other side of TLS that a proxy has ended? It says so of its own connection alone, so that nothing is gained by lying. */
function isBehindTls(request: FastifyRequest): boolean {
  const [first = ''] = [request.headers['x-forwarded-proto'] ?? []].flat();
  return request.protocol === 'https' || first.split(',')[0].trim().toLowerCase() === 'https';
}

/** The address to which a request was sent, as its `Host` has it; undefined where that is none. */
function addressFor(request: FastifyRequest): string | undefined {
  const address = `${isBehindTls(request) ? 'https' : 'http'}://${request.host}`;
  return URL.canParse(address) && new URL(address).host !== '' ? new URL(address).origin : undefined;
}

/** Is this host, as a URL has it, this machine itself (RFC 6761 section 6.3, RFC 1122 section 3.2.1.3)? */
export function isLoopbackHost(host: string): boolean {
  return (
    host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d+){3}$/.test(host)
  );
}
