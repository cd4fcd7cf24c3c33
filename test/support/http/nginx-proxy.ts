import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Program } from '../program.ts';
import { temporaryFolder } from '../server.ts';

/**
 * Starts a real nginx in front of a server, until the test has finished; it may not listen yet.
 * @param listen what stands behind the port, such as `ssl; ssl_certificate …`
 * @param location directives within `location /`, such as headers
 */
export function startNginxProxy(port: number, target: string, listen = '', location = ''): void {
  const folder = temporaryFolder();
  const config = join(folder, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off; pid ${folder}/pid; error_log stderr; worker_processes 1;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server {
    listen 127.0.0.1:${port} ${listen};
    location / { proxy_pass ${target}; proxy_http_version 1.1; ${location} }
  }
}`,
  );
  const nginx = new Program('nginx', ['-c', config, '-p', folder]);
  onTestFinished(async () => {
    await nginx.stop('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  });
}
