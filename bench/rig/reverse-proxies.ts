/** nginx and HAProxy as reverse proxies, each with one worker: what the HTTP router is compared with. */
import { existsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { makeFolder, removeFolder, start, stop } from './processes.ts';

export interface ReverseProxy {
  readonly name: string;
  readonly port: number;
  /** Of the process that does the work. */
  readonly pid: number;
  stop(): Promise<void>;
}

const NGINX = ['/usr/sbin/nginx', '/usr/local/sbin/nginx'].find(existsSync);
const HAPROXY = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy'].find(existsSync);

/** Those that are installed, in front of the same dynos. Neither has an access log. */
export async function startReverseProxies(dynoPorts: readonly number[]): Promise<ReverseProxy[]> {
  return [
    ...(NGINX ? [await run('nginx', NGINX, nginx, dynoPorts)] : []),
    ...(HAPROXY ? [await run('HAProxy', HAPROXY, haproxy, dynoPorts)] : []),
  ];
}

interface Setup {
  readonly text: string;
  args(file: string): string[];
}

async function run(
  name: string,
  program: string,
  setup: (port: number, folder: string, dynoPorts: readonly number[]) => Setup,
  dynoPorts: readonly number[],
): Promise<ReverseProxy> {
  const folder = makeFolder(name);
  const port = await freePort();
  const file = join(folder, 'proxy.conf');
  const { text, args } = setup(port, folder, dynoPorts);
  writeFileSync(file, text);
  const child = start(program, args(file), { stdio: ['ignore', 'ignore', 'inherit'] });
  await waitUntilListening(port);
  return {
    name,
    port,
    pid: child.pid!,
    async stop() {
      await stop(child);
      removeFolder(folder);
    },
  };
}

/** One process, without a master. */
function nginx(port: number, folder: string, dynoPorts: readonly number[]): Setup {
  const servers = dynoPorts.map((dyno) => `server 127.0.0.1:${dyno};`).join(' ');
  const text = `
daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
  uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
  upstream dynos { random; ${servers} keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://dynos; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Request-Id $request_id;
    }
  }
}
`;
  return { text, args: (file) => ['-c', file, '-p', folder] };
}

function haproxy(port: number, _folder: string, dynoPorts: readonly number[]): Setup {
  const servers = dynoPorts.map((dyno, i) => `  server dyno${i} 127.0.0.1:${dyno}\n`).join('');
  const text = `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 55s
  timeout server 55s
  option forwardfor
  unique-id-format %[uuid()]
  unique-id-header X-Request-Id
frontend all
  bind 127.0.0.1:${port}
  default_backend dynos
backend dynos
  balance random
  http-reuse always
${servers}`;
  return { text, args: (file) => ['-db', '-f', file] };
}

/** Waits until something accepts connections there. */
async function waitUntilListening(port: number): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const accepted = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('close', () => socket.destroy());
    });
    if (accepted) return;
    if (performance.now() > deadlineMs) throw new Error(`nothing listens on port ${port}`);
    await sleep(5);
  }
}
