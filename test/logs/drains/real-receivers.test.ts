/** What people really have at the other end: rsyslog over TCP and TLS, nginx in front of a receiver, and nginx in front of nothing. */

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { missing, Program, runTailrace } from '../../support/program.ts';
import { startHttpReceiver } from '../../support/receivers/receivers.ts';
import { CertificateAuthority } from '../../support/senders/certificate-authority.ts';
import { withoutDuplicates } from '../../support/senders/frames.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

/** Debian has rsyslog's TLS in a package of its own, rsyslog-openssl. */
const speaksTls = ['x86_64', 'aarch64'].some((machine) =>
  existsSync(`/usr/lib/${machine}-linux-gnu/rsyslog/lmnsd_ossl.so`),
);

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

async function pushMany(app: App, count: number, from = 0): Promise<void> {
  for (let i = from; i < from + count; i += 100)
    await pushLines(server, app.token, numberedMessages(100, 'line', i));
}

/** rsyslog with one TCP input; gives the messages that it has written down. */
class Rsyslog {
  readonly folder = temporaryFolder();
  private readonly config: string;
  private program: Program | undefined;

  constructor(port: number, tls?: { ca: string; certFile: string; keyFile: string }) {
    const global = tls
      ? `global(defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="${tls.ca}" defaultNetstreamDriverCertFile="${tls.certFile}" defaultNetstreamDriverKeyFile="${tls.keyFile}")\n`
      : '';
    const driver = tls ? ' streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon"' : '';
    this.config = join(this.folder, 'rsyslog.conf');
    writeFileSync(
      this.config,
      `${global}module(load="imtcp"${driver})
template(name="plain" type="string" string="%app-name% %procid% %hostname% %msg:::drop-last-lf%\\n")
ruleset(name="out") { action(type="omfile" file="${join(this.folder, 'out')}" template="plain" asyncWriting="off") }
input(type="imtcp" address="127.0.0.1" port="${port}" ruleset="out")
`,
    );
  }

  async start(): Promise<void> {
    const args = ['-n', '-f', this.config, '-i', join(this.folder, 'pid')];
    this.program = new Program('rsyslogd', args);
    const { program } = this;
    await until('rsyslog', () => {
      if (program.hasExited) throw new Error(program.stderr);
      return program.pid > 0;
    });
  }

  async stop(): Promise<void> {
    await this.program?.stop('SIGTERM');
  }

  lines(): string[] {
    try {
      return readFileSync(join(this.folder, 'out'), 'utf8').split('\n').slice(0, -1);
    } catch {
      return [];
    }
  }

  messages(): string[] {
    return this.lines().map((line) => line.split(' ').slice(3).join(' ').trim());
  }
}

describe.skipIf(missing('rsyslogd', 'openssl'))('rsyslog', () => {
  const cleanUp = (rsyslog: Rsyslog): void =>
    void onTestFinished(async () => {
      await rsyslog.stop();
      rmSync(rsyslog.folder, { recursive: true, force: true });
    });

  it('over TCP: gets every line in order, also when it was restarted in the middle', async () => {
    const app = await server.createApp();
    const port = await freePort();
    const rsyslog = new Rsyslog(port);
    cleanUp(rsyslog);
    await rsyslog.start();
    const { token } = await server.createDrain(app, `syslog://127.0.0.1:${port}`);
    await pushMany(app, 1_000);
    await until('the first lines', () => rsyslog.messages().includes('line 999'));
    expect(rsyslog.lines()[0]).toMatch(new RegExp(`^app web.1 ${token} +line 0$`));
    await pushMany(app, 500, 1_000);
    await rsyslog.stop();
    await pushMany(app, 500, 1_500);
    await rsyslog.start();
    await until('all lines', () => rsyslog.messages().includes('line 1999'));
    expect(withoutDuplicates(rsyslog.messages())).toEqual(numberedMessages(2_000));
  });

  it.skipIf(!speaksTls)('over TLS, with its certificate checked', async () => {
    const folder = temporaryFolder();
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const authority = new CertificateAuthority(folder);
    const pair = authority.issue('DNS:localhost');
    const app = await server.createApp();
    const port = await freePort();
    const rsyslog = new Rsyslog(port, { ca: authority.certFile, ...pair });
    cleanUp(rsyslog);
    await rsyslog.start();
    const url = `syslog+tls://localhost:${port}`;
    const added = await runTailrace(['drains:add', url, '-a', app.name, '--ca', authority.certFile], {
      env: server.env,
    });
    expect(added.stderr).toBe('');
    await pushMany(app, 2_000);
    await until('all lines', () => rsyslog.messages().includes('line 1999'));
    expect(withoutDuplicates(rsyslog.messages())).toEqual(numberedMessages(2_000));
  });

  it('accepts newline framing and strict RFC 5424', async () => {
    const app = await server.createApp();
    const port = await freePort();
    const rsyslog = new Rsyslog(port);
    cleanUp(rsyslog);
    await rsyslog.start();
    await server.createDrain(
      app,
      `syslog://127.0.0.1:${port}?tailrace-format=rfc5424&tailrace-framing=newline`,
    );
    await pushMany(app, 500);
    await until('all lines', () => rsyslog.messages().includes('line 499'));
    expect(withoutDuplicates(rsyslog.messages())).toEqual(numberedMessages(500));
    expect(rsyslog.lines()[0]).toBe('app web.1 shuttle line 0');
  });
});

describe.skipIf(missing('nginx'))('nginx in between', () => {
  it('delivers every line, while the service behind it stops and starts again', async () => {
    const folder = temporaryFolder();
    const port = await freePort();
    const app = await server.createApp();
    const receiver = await startHttpReceiver();
    const config = join(folder, 'nginx.conf');
    writeFileSync(
      config,
      `daemon off; pid ${folder}/pid; error_log stderr; worker_processes 1;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://127.0.0.1:${receiver.port}; proxy_request_buffering off; }
  }
}`,
    );
    const nginx = new Program('nginx', ['-c', config, '-p', folder]);
    onTestFinished(async () => {
      await nginx.stop('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    });
    await server.createDrain(app, `http://127.0.0.1:${port}/lines`);
    await pushMany(app, 1_000);
    await until('the first lines', () => receiver.acceptedMessages().includes('line 999'));
    await receiver.close();
    await pushMany(app, 1_000, 1_000);
    const error = await until('a gateway error', async () => {
      const [{ delivery }] = await server.listDrains(app);
      return delivery.lastError?.includes('502') && delivery.lastError;
    });
    expect(error).toContain('the destination answered 502');
    await receiver.listen();
    await until('all lines', () => receiver.acceptedMessages().includes('line 1999'));
    expect(withoutDuplicates(receiver.acceptedMessages())).toEqual(numberedMessages(2_000));
  });
});
