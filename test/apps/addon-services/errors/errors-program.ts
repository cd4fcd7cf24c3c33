/** The service of errors as a program of its own, as the server runs it, and requests to it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { freePort } from '../../../support/free-port.ts';
import { Program } from '../../../support/program.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const PROGRAM = join(ROOT, 'dist', 'bundle', 'addon-errors.js');
/** A client that prints the id of each event that was answered with 200, one a line. */
const NODE_CLIENT = `
  import * as Sentry from '@sentry/node';
  Sentry.init({ dsn: process.env.SENTRY_DSN, release: 'shop@1.2', environment: 'production' });
  const client = Sentry.getClient();
  client.on('afterSendEvent', (event, answer) => {
    if (answer?.statusCode === 200) process.stdout.write(event.event_id + '\\n');
  });
  class CheckoutError extends Error { name = 'CheckoutError'; }
  function checkout(order) { throw new CheckoutError('order ' + order + ' has no address'); }
  const report = (i) => { try { checkout(i); } catch (error) { Sentry.captureException(error); } };
  if (process.env.FOREVER) {
    // So many different ones that all of their events are kept.
    let i = 0;
    setInterval(() => Sentry.withScope((scope) => {
      scope.setFingerprint([String(i++ % 500)]);
      report(i);
    }), 30);
  } else {
    Sentry.setUser({ id: 'u1', email: 'ann@example.com' });
    Sentry.addBreadcrumb({ category: 'cart', message: 'added a book' });
    Sentry.setTag('page', 'cart');
    for (let i = 0; i < 3; i++) report(i);
    Sentry.captureMessage('Stock is low', 'warning');
    await Sentry.startSpan({ name: 'a transaction' }, async () => {});
    await Sentry.close(10_000);
  }
`;

export const PUBLIC_KEY = 'c0ffee00c0ffee00c0ffee00c0ffee00';
export const PAGE_KEY = 'key-of-the-page';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export class ErrorsProgram {
  readonly folder: string;
  readonly port: number;
  program!: Program;

  constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get dsn(): string {
    return `http://${PUBLIC_KEY}@localhost:${this.port}/1`;
  }

  /** Resolves when it listens. @param shell a command that runs before it, such as `ulimit -f 100` */
  async start(shell = ''): Promise<void> {
    const command = `${shell && `${shell} && `}exec "$0" "$1"`;
    this.program = new Program('bash', ['-c', command, process.execPath, PROGRAM], { cwd: this.folder });
    await this.program.waitForOutput(/listens on port/);
  }

  async post(path: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method: 'POST',
      headers: { 'x-sentry-auth': `Sentry sentry_key=${PUBLIC_KEY}`, ...headers },
      body: typeof body === 'string' ? body : new Uint8Array(body),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  /** Posts an event in an envelope. */
  sendEvent(event: object, headers?: Record<string, string>): Promise<Answer> {
    return this.post('/api/1/envelope/', envelopeOf(event), headers);
  }

  /** Asks what the page asks. */
  async ask<T>(path: string, method = 'GET', body?: object): Promise<T> {
    const response = await fetch(`${this.url}/api${path}`, {
      method,
      headers: {
        authorization: `Bearer ${PAGE_KEY}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      body: body && JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }
}

export function envelopeOf(event: object): string {
  const payload = JSON.stringify(event);
  return `{}\n{"type":"event","length":${Buffer.byteLength(payload)}}\n${payload}\n`;
}

/** A program in a new folder, ready; the caller closes it. @param more settings of its own */
export async function startErrorsProgram(more: object = {}): Promise<ErrorsProgram> {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
  const port = await freePort();
  const settings = {
    name: 'sentry-test',
    port,
    pagePort: port,
    password: PAGE_KEY,
    publicKey: PUBLIC_KEY,
    ...more,
  };
  writeFileSync(join(folder, 'service.json'), JSON.stringify(settings));
  const errors = new ErrorsProgram(folder, port);
  await errors.start();
  return errors;
}

export async function closeErrorsProgram(errors: ErrorsProgram | undefined): Promise<void> {
  await errors?.program.stop();
  if (errors) rmSync(errors.folder, { recursive: true, force: true });
}

export async function startErrorsProgramForTest(more?: object): Promise<ErrorsProgram> {
  const errors = await startErrorsProgram(more);
  onTestFinished(() => closeErrorsProgram(errors));
  return errors;
}

/** `@sentry/node`, unmodified, in a process of its own. @param env FOREVER: until it is stopped */
export function startNodeClient(env: Record<string, string>): Program {
  return new Program(process.execPath, ['--input-type=module', '-e', NODE_CLIENT], { cwd: ROOT, env });
}
