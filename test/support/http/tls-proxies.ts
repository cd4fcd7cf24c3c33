/** The proxies of deploy/proxy, as they stand there but for ports and files, in front of a server on this machine. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { Program } from '../program.ts';
import { CertificateAuthority } from '../senders/certificate-authority.ts';
import type { Server } from '../server.ts';
import { until } from '../until.ts';

const CONFIGS = join(import.meta.dirname, '..', '..', '..', 'deploy', 'proxy');
export const APPS_DOMAIN = 'apps.example.com';

export interface TlsProxy {
  readonly port: number;
  /** PEM file of the authorities that clients have to trust. */
  readonly authorities: string;
  readonly program: Program;
}

/** A configuration of deploy/proxy with the API at localhost, which every program can resolve. */
function configFor(name: string, server: Server, changes: Readonly<Record<string, string>>): string {
  let text = readFileSync(join(CONFIGS, name), 'utf8');
  const all = {
    'logs.example.com': 'localhost',
    '127.0.0.1:8601': new URL(server.url).host,
    '127.0.0.1:8080': `127.0.0.1:${server.routerPort}`,
    ...changes,
  };
  for (const [from, to] of Object.entries(all)) {
    if (!text.includes(from)) throw new Error(`${name} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

function issueCertificate(folder: string) {
  const authority = new CertificateAuthority(folder);
  return { authority, ...authority.issue(`DNS:localhost,DNS:*.${APPS_DOMAIN},IP:127.0.0.1`) };
}

/** @param edit of the configuration, for one that somebody has got wrong */
export async function startNginx(
  folder: string,
  server: Server,
  edit = (config: string): string => config,
): Promise<TlsProxy> {
  const { authority, certFile, keyFile } = issueCertificate(folder);
  const [port, plainPort] = [await freePort(), await freePort()];
  const config = edit(
    configFor('nginx.conf', server, {
      'listen 443': `listen 127.0.0.1:${port}`,
      'listen 80': `listen 127.0.0.1:${plainPort}`,
      '/etc/tailrace/tls/fullchain.pem': certFile,
      '/etc/tailrace/tls/privkey.pem': keyFile,
    }),
  );
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; pid ${folder}/pid; error_log stderr; worker_processes 1; events { worker_connections 128; }
http { access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
${config} }`,
  );
  const program = new Program('nginx', ['-c', file, '-p', folder]);
  return ready({ port, authorities: authority.certFile, program });
}

export async function startHaproxy(folder: string, server: Server): Promise<TlsProxy> {
  const { authority, cert, key } = issueCertificate(folder);
  mkdirSync(join(folder, 'certs'));
  writeFileSync(join(folder, 'certs', 'all.pem'), cert + key);
  const [port, plainPort] = [await freePort(), await freePort()];
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(
    file,
    configFor('haproxy.cfg', server, {
      'bind :443': `bind 127.0.0.1:${port}`,
      'bind :80': `bind 127.0.0.1:${plainPort}`,
      '/etc/haproxy/certs/': join(folder, 'certs/'),
    }),
  );
  const program = new Program('haproxy', ['-db', '-f', file]);
  return ready({ port, authorities: authority.certFile, program });
}

/** An ACME server (RFC 8555) that finds every name on this machine, and Caddy, which gets its certificates there. */
export async function startCaddy(
  folder: string,
  server: Server,
): Promise<TlsProxy & { readonly close: () => Promise<unknown> }> {
  const { authority, certFile, keyFile } = issueCertificate(folder);
  const ports: number[] = [];
  for (let i = 0; i < 6; i++) ports.push(await freePort());
  const [port, plainPort, acmePort, managementPort, dnsPort, dnsManagementPort] = ports;
  const dns = new Program('pebble-challtestsrv', [
    ...['-defaultIPv4', '127.0.0.1', '-defaultIPv6', '', '-dns01', `127.0.0.1:${dnsPort}`],
    ...['-management', `127.0.0.1:${dnsManagementPort}`, '-http01', '', '-https01', '', '-tlsalpn01', ''],
  ]);
  const pebble = {
    listenAddress: `127.0.0.1:${acmePort}`,
    managementListenAddress: `127.0.0.1:${managementPort}`,
    certificate: certFile,
    privateKey: keyFile,
    httpPort: plainPort,
    tlsPort: port,
  };
  writeFileSync(join(folder, 'pebble.json'), JSON.stringify({ pebble }));
  const acme = new Program(
    'pebble',
    ['-config', join(folder, 'pebble.json'), '-dnsserver', `127.0.0.1:${dnsPort}`],
    { env: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' } },
  );
  const rootOfAcme = await until('the ACME server', () =>
    fetchText(`https://127.0.0.1:${managementPort}/roots/0`, authority.cert).catch(() => undefined),
  );
  const file = join(folder, 'Caddyfile');
  const options = `{
	admin off
	http_port ${plainPort}
	https_port ${port}
	skip_install_trust
	storage file_system ${folder}/caddy
	acme_ca https://localhost:${acmePort}/dir
	acme_ca_root ${authority.certFile}
`;
  writeFileSync(
    file,
    configFor('Caddyfile', server, {
      '\n{\n': `\n${options}`,
      // No ACME server knows it.
      '\nlocalhost {\n': '\nlocalhost {\n\ttls internal\n',
    }),
  );
  const program = new Program('caddy', ['run', '--config', file, '--adapter', 'caddyfile'], {
    env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  });
  const root = join(folder, 'caddy', 'pki', 'authorities', 'local', 'root.crt');
  const authorities = join(folder, 'authorities.pem');
  await until('Caddy’s own authority', () => {
    try {
      writeFileSync(authorities, `${readFileSync(root, 'utf8')}\n${rootOfAcme}`);
      return true;
    } catch {
      return false;
    }
  });
  const proxy = await ready({ port, authorities, program }, [acme, dns]);
  return { ...proxy, close: () => Promise.all([program, acme, dns].map((one) => one.stop('SIGTERM'))) };
}

async function ready(proxy: TlsProxy, others: readonly Program[] = []): Promise<TlsProxy> {
  const ca = readFileSync(proxy.authorities, 'utf8');
  await until('the proxy', async () => {
    if (proxy.program.child.exitCode !== null) throw new Error(proxy.program.stderr);
    return fetchText(`https://localhost:${proxy.port}/health`, ca).then(
      (text) => text.includes('ok'),
      () => false,
    );
  }).catch(async (error: unknown) => {
    await Promise.all([proxy.program, ...others].map((one) => one.stop('SIGKILL')));
    throw new Error(`${error}\n${proxy.program.stderr}`);
  });
  return proxy;
}

function fetchText(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { ca, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}
