/** Real Redis servers for tests, on free ports, each in its own folder. */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../free-port.ts';
import { until } from '../until.ts';

/** Is it installed? With CI=true its absence is an error and not a reason to skip. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0 || process.env.CI === 'true';

export interface RedisServerOptions {
  /** Lines of redis.conf, such as `maxmemory 10mb`. */
  readonly config?: readonly string[];
  /** As a Sentinel: the lines come after the port. */
  readonly sentinel?: boolean;
  readonly port?: number;
  readonly password?: string;
  /** Added to its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Listen with TLS only, with the certificate of {@link makeCertificate}. */
  readonly tls?: Certificate;
}

export interface Certificate {
  readonly key: string;
  readonly certificate: string;
  readonly ca: string;
}

/** One `redis-server` process; it can be stopped, killed and started again on the same port and folder. */
export class RedisServer {
  readonly port: number;
  readonly folder: string;
  private readonly options: RedisServerOptions;
  private readonly added: string[] = [];
  private child: ChildProcess | undefined;
  private log = '';

  private constructor(port: number, options: RedisServerOptions) {
    this.port = port;
    this.options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'tailrace-redis-'));
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(options.port ?? (await freePort()), options);
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  get hasExited(): boolean {
    return !this.child || this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Adds lines to redis.conf for the next start. */
  addConfig(...lines: string[]): void {
    this.added.push(...lines);
  }

  /** Starts the process (again), unless it runs; resolves when it listens. */
  async start(): Promise<void> {
    // Two may want it at once: a second process wouldn't get the port, and nobody would know the first one any more.
    if (this.hasExited) this.launch();
    await until(`redis-server on port ${this.port} to listen`, () => this.listens());
  }

  /** Starts the process and doesn't wait for anything. */
  launch(): void {
    const { config = [], sentinel = false, tls, password } = this.options;
    const file = join(this.folder, 'redis.conf');
    const lines = [
      ...(tls
        ? [
            'port 0',
            `tls-port ${this.port}`,
            `tls-cert-file ${tls.certificate}`,
            `tls-key-file ${tls.key}`,
            `tls-ca-cert-file ${tls.ca}`,
            'tls-auth-clients no',
          ]
        : [`port ${this.port}`]),
      'bind 127.0.0.1',
      `dir ${this.folder}`,
      // By default a master waits five seconds for more replicas.
      ...(sentinel ? [] : ['save ""', 'repl-diskless-sync-delay 0']),
      ...(password ? [`requirepass ${password}`] : []),
      ...config,
      ...this.added,
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    const child = spawn('redis-server', sentinel ? [file, '--sentinel'] : [file], {
      env: { ...process.env, ...this.options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', (text) => (this.log += text));
    child.stderr.on('data', (text) => (this.log += text));
    this.child = child;
  }

  /** Sends a signal to the process, and waits for its exit unless the signal only pauses or continues it. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (!child || this.hasExited) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await gone;
  }

  /** Ends the process and removes its folder. */
  async remove(): Promise<void> {
    await this.signal('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Sends one command over its own connection. */
  async command(...command: (string | number)[]): Promise<unknown> {
    const client = new Redis({
      port: this.port,
      password: this.options.password,
      tls: this.options.tls ? { rejectUnauthorized: false } : undefined,
      lazyConnect: true,
      retryStrategy: null,
      enableReadyCheck: false,
    });
    client.on('error', () => {}); // whoever asks gets it
    try {
      await client.connect();
      return await client.call(String(command[0]), command.slice(1));
    } finally {
      client.disconnect();
    }
  }

  private async listens(): Promise<boolean> {
    if (this.child?.exitCode !== null) throw new Error(`redis-server ended at once:\n${this.log}`);
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  }
}

/** A self-signed certificate for 127.0.0.1. */
export function makeCertificate(folder: string): Certificate {
  const key = join(folder, 'key.pem');
  const certificate = join(folder, 'certificate.pem');
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const subject = ['-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', [...args, ...subject, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  return { key, certificate, ca: certificate };
}
