/** A real `tailrace start` in its own folder. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program, TAILRACE } from './program.ts';
import { Server, temporaryFolder } from './server.ts';

/** Starts an app from these files on free ports; resolves when it has printed its URL. The caller closes it. */
export async function startApp(
  name: string,
  files: Readonly<Record<string, string>>,
  basePort: number,
): Promise<Server & { webUrl: string }> {
  const parent = temporaryFolder();
  const folder = join(parent, name);
  mkdirSync(folder);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  const program = new Program(process.execPath, [TAILRACE, 'start', '-p', String(basePort)], {
    cwd: folder,
    env: { TAILRACE_HTTP_PORT: '0', TAILRACE_SYSLOG_PORT: '0', TAILRACE_ROUTER_PORT: '0' },
  });
  void program.exited.then(() => rmSync(parent, { recursive: true, force: true, maxRetries: 3 }));
  const server = new Server(program, join(folder, '.tailrace'));
  const [, webUrl] = await program.waitForOutput(/app\s+(http:\S+)/);
  const [, url] = await program.waitForOutput(/API\s+(http:\S+)/);
  server.url = url;
  server.key = readFileSync(join(server.data, 'key'), 'utf8').trim();
  return Object.assign(server, { webUrl });
}
