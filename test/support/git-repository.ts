/** A git repository with an app, as its developer has it. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type ExitResult, runProgram, runTailrace } from './program.ts';
import { type Server, temporaryFolder } from './server.ts';

/** A web app that responds with its config: it needs only Node.js. */
export const WEB_SOURCE = `require('http').createServer((q, r) => r.end(JSON.stringify({
  a: process.env.A, version: require('fs').readFileSync('version.txt', 'utf8').trim(), home: process.env.HOME,
}))).listen(process.env.PORT);\n`;

export const APP_FILES = {
  Procfile: 'web: node web.cjs\nworker: while true; do echo tick; sleep 0.3; done\n',
  'web.cjs': WEB_SOURCE,
  'version.txt': 'one\n',
};

export class GitRepository {
  readonly folder = temporaryFolder();
  private readonly server: Server;
  private readonly home = temporaryFolder();

  /** @param atEnd when it is removed: with its test, or with all of a file (`afterAll`) */
  constructor(
    server: Server,
    files: Readonly<Record<string, string>> = APP_FILES,
    atEnd: (remove: () => void) => void = onTestFinished,
  ) {
    this.server = server;
    atEnd(() => {
      rmSync(this.folder, { recursive: true, force: true });
      rmSync(this.home, { recursive: true, force: true });
    });
    this.git('init', '-q', '-b', 'main');
    this.git('config', 'user.email', 'dev@example.com');
    this.git('config', 'user.name', 'Dev');
    this.commit(files);
  }

  private get env(): Record<string, string | undefined> {
    return { ...this.server.env, HOME: this.home, PATH: process.env.PATH, GIT_TERMINAL_PROMPT: '0' };
  }

  git(...args: string[]): string {
    return execFileSync('git', args, { cwd: this.folder, env: this.env, stdio: 'pipe' }).toString();
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, name)), { recursive: true });
      writeFileSync(join(this.folder, name), text);
      if (text.startsWith('#!')) chmodSync(join(this.folder, name), 0o755);
    }
  }

  commit(files: Readonly<Record<string, string>>): void {
    this.write(files);
    this.git('add', '-A');
    this.git('commit', '-q', '-m', 'change');
  }

  /** `tailrace …` in this folder. */
  tailrace(...args: string[]): Promise<ExitResult> {
    return runTailrace(args, { cwd: this.folder, env: this.env });
  }

  /** `git push tailrace main` */
  push(...args: string[]): Promise<ExitResult> {
    return runProgram('git', ['push', 'tailrace', ...(args.length > 0 ? args : ['main'])], {
      cwd: this.folder,
      env: this.env,
    });
  }
}

/** The app's response through the HTTP router. */
export async function fetchFromApp(
  server: Server,
  app: string,
): Promise<{ a?: string; version: string; home: string }> {
  const { request } = await import('undici');
  const response = await request(`http://127.0.0.1:${server.routerPort}/`, {
    headers: { host: `${app}.localhost` },
  });
  const text = await response.body.text();
  if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${text}`);
  return JSON.parse(text);
}
