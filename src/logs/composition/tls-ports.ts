/** The ports with TLS of the API and of the HTTP router: which connection is for whom. */
import type { Socket } from 'node:net';
import type { Settings } from '../../common/config/settings.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Log } from '../../common/log.ts';
import type { TlsIdentity } from '../../common/tls/tls-identity.ts';
import { createTlsListener } from '../../common/tls/tls-listener.ts';
import { boundPort, listen } from '../sources/listen.ts';

export interface TlsPortsOptions {
  readonly settings: Settings;
  readonly identity: TlsIdentity;
  readonly acceptForApi: (socket: Socket) => void;
  readonly acceptForApps: (socket: Socket, port: number) => void;
  readonly log: Log;
}

export interface TlsPorts {
  readonly http: number;
  readonly router: number;
  /** Takes no more connections. */
  close(finishesHandshakes?: boolean): void;
}

/** Whose a connection is, on a port that both share: by the name that it asks for. */
function isForApi(servername: string | false | null | undefined, publicUrl: string): boolean {
  return !servername || servername.toLowerCase() === new URL(publicUrl).hostname;
}

/** @throws TailraceError `address_in_use` when a port is taken, `settings` when one port can't be shared */
export async function openTlsPorts({
  settings,
  identity,
  acceptForApi,
  acceptForApps,
  log,
}: TlsPortsOptions): Promise<TlsPorts> {
  const { host, httpTlsPort, routerTlsPort, publicUrl, connections, routerConnections } = settings;
  const isShared = httpTlsPort === routerTlsPort && httpTlsPort !== 0;
  if (isShared && publicUrl === '')
    throw new TailraceError(
      'settings',
      'TAILRACE_HTTP_TLS_PORT and TAILRACE_ROUTER_TLS_PORT are one port: set TAILRACE_PUBLIC_URL, whose name leads to the API then, or two ports.',
    );
  const http = createTlsListener({
    identity,
    handshakesMax: connections,
    onConnection: (socket) => {
      if (!isShared || isForApi(socket.servername, publicUrl)) acceptForApi(socket);
      else acceptForApps(socket, httpTlsPort);
    },
    log,
  });
  await listen(http.server, { host, port: httpTlsPort }, 'HTTPS', 'TAILRACE_HTTP_TLS_PORT');
  if (isShared) {
    log.info({ host, port: httpTlsPort }, 'listening for HTTPS');
    return { http: httpTlsPort, router: httpTlsPort, close: http.close };
  }
  const router = createTlsListener({
    identity,
    handshakesMax: routerConnections,
    onConnection: (socket) => acceptForApps(socket, boundPort(router.server)),
    log,
  });
  const close: TlsPorts['close'] = (finishesHandshakes) => {
    http.close(finishesHandshakes);
    router.close(finishesHandshakes);
  };
  try {
    await listen(
      router.server,
      { host, port: routerTlsPort },
      'the HTTP router (TLS)',
      'TAILRACE_ROUTER_TLS_PORT',
    );
  } catch (error) {
    close();
    throw error;
  }
  const ports = { http: boundPort(http.server), router: boundPort(router.server) };
  log.info({ host, ...ports }, 'listening for HTTPS');
  return { ...ports, close };
}
