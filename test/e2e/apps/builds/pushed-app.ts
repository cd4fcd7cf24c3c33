/** An app that a test pushes, and what came of it. */
import { request } from 'undici';
import { onTestFinished } from 'vitest';
import { GitRepository } from '../../../support/git-repository.ts';
import { type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

/** A server whose builds reach the registries as this machine does. */
export function startBuildServer(): Promise<Server> {
  const { NODE_EXTRA_CA_CERTS } = process.env;
  return startServer({ env: NODE_EXTRA_CA_CERTS === undefined ? {} : { NODE_EXTRA_CA_CERTS } });
}

let number = 0;

export class PushedApp {
  readonly name = `built-${process.pid % 10_000}-${++number}`;
  readonly repository: GitRepository;
  private readonly server: Server;

  private constructor(server: Server, files: Readonly<Record<string, string>>) {
    this.server = server;
    this.repository = new GitRepository(server, files);
  }

  /** Creates an app with these files, which isn't pushed yet. Destroyed when the test has finished. */
  static async create(server: Server, files: Readonly<Record<string, string>>): Promise<PushedApp> {
    const app = new PushedApp(server, files);
    await server.request('POST', '/apps', { name: app.name });
    onTestFinished(async () => {
      await server.request('DELETE', `/apps/${app.name}`);
    });
    return app;
  }

  /** Config vars, before a push. */
  async config(vars: Readonly<Record<string, string | null>>): Promise<void> {
    await this.server.request('PATCH', `/apps/${this.name}/config-vars`, vars);
  }

  /** Changes files, and pushes the folder. @returns what the build said */
  async push(
    files: Readonly<Record<string, string>> = {},
  ): Promise<{ output: string; status: number | string }> {
    this.repository.write(files);
    const { stdout, stderr, status } = await this.repository.tailrace('push', '-a', this.name);
    return { output: stdout + stderr, status };
  }

  /** What its web dyno answers. */
  async fetch(path = '/', headers: Readonly<Record<string, string>> = {}) {
    const answer = await request(`http://127.0.0.1:${this.server.routerPort}${path}`, {
      headers: { host: `${this.name}.localhost`, ...headers },
    });
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
  }

  /** What its web dyno answers as JSON, when it is up. */
  json(): Promise<Record<string, string>> {
    return until(`an answer of ${this.name}`, async () => {
      const { status, text } = await this.fetch();
      if (status !== 200 || text === '') throw new Error(`${status} ${text}`);
      return JSON.parse(text) as Record<string, string>;
    });
  }

  /** Waits until a line of its dynos has come. */
  async waitForLine(pattern: RegExp): Promise<RegExpExecArray> {
    return until(`${pattern} of ${this.name}`, async () => {
      const lines = await this.server.readLines({ id: '', name: this.name, token: '' });
      for (const line of lines) {
        const match = line.includes(' app[build]: ') ? null : pattern.exec(line);
        if (match) return match;
      }
      return undefined;
    });
  }
}
