import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { formatEnvFile } from '../../apps/processes/config/env-file.ts';
import { TailraceError } from '../../common/errors.ts';
import { ownValue } from '../../common/own-value.ts';
import { APP_OPTION, type ApiClient, remoteOption, resolveEndpoint } from '../api-client.ts';
import { printText } from '../format.ts';
import { parseConfigFile } from './config-file.ts';

type Vars = Readonly<Record<string, string>>;
type Change = Record<string, string | null>;

/** `tailrace config:edit [NAME]`: config vars in the user's editor; only what was changed there is sent. */
export function configEditCommand(program: Command): void {
  program
    .command('config:edit [name]')
    .description('change config vars, or the value of one, in $VISUAL or $EDITOR; the app restarts')
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .action(async (name: string | undefined, options: { app?: string }) => {
      const { app, client, path } = await resolveEndpoint(options, '/config-vars');
      const before = await client.request<Vars>('GET', path);
      const editor = requireEditor();
      const folder = await mkdtemp(join(tmpdir(), `tailrace-config-${app}-`));
      const file = join(folder, name === undefined ? 'config.env' : `${name}.txt`);
      let isKept = false;
      try {
        await writeFile(
          file,
          name === undefined ? describeAll(app, before) : (ownValue(before, name) ?? ''),
          {
            mode: 0o600,
          },
        );
        await edit(editor, file);
        const written = await readFile(file);
        const change =
          name === undefined
            ? changeOf(before, parseAll(written))
            : changeOfOne(name, ownValue(before, name), written.toString());
        if (Object.keys(change).length === 0) {
          printText(`Nothing was changed in the editor: ${app} stays as it is.`);
          return;
        }
        await send(client, app, path, before, change);
        const releases = await client.request<{ version: number; current: boolean }[]>(
          'GET',
          `/apps/${encodeURIComponent(app)}/releases`,
        );
        printText(
          [
            `Updating config vars and restarting ${app}... done, v${releases.find(({ current }) => current)?.version}`,
            ...Object.entries(change).map(([changed, value]) => `${value === null ? '-' : '+'} ${changed}`),
          ].join('\n'),
        );
      } catch (error) {
        if (!(error instanceof TailraceError) || error.code === 'bad_request') throw error;
        // An edit may have been long work.
        isKept = true;
        throw new TailraceError(error.code, `${error.message} What you wrote is in ${file}.`, {
          cause: error,
        });
      } finally {
        if (!isKept) await rm(folder, { recursive: true, force: true });
      }
    });
}

/** @throws TailraceError when there is none, and nobody to see one */
function requireEditor(): string {
  const editor = process.env.VISUAL || process.env.EDITOR;
  if (editor) return editor;
  if (process.stdin.isTTY && process.stdout.isTTY) return 'vi';
  throw new TailraceError(
    'bad_request',
    'There is no terminal for an editor: set VISUAL or EDITOR to a program, or use config:set.',
  );
}

/** Runs the editor as git does: a shell reads its name, which may have arguments. */
async function edit(editor: string, file: string): Promise<void> {
  const child = spawn('sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' });
  // Ctrl-C is for the editor.
  const ignore = (): void => {};
  process.on('SIGINT', ignore);
  const status = await new Promise<number | string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code ?? signal ?? 1));
  });
  process.off('SIGINT', ignore);
  if (status !== 0)
    throw new TailraceError('bad_request', `The editor ended with ${status}: nothing was changed.`);
}

function describeAll(app: string, vars: Vars): string {
  return `# Config vars of ${app}: NAME=value, or NAME="value" with \\n for a new line. A line taken away removes\n# the config var. An empty file changes nothing.\n${formatEnvFile(vars)}`;
}

/** @throws TailraceError `invalid_params` with the line that can't be read; `bad_request` for an empty file */
function parseAll(written: Buffer): Vars {
  if (written.toString().trim() === '')
    throw new TailraceError(
      'bad_request',
      'The file is empty, so nothing was changed; config:unset removes.',
    );
  return parseConfigFile(written);
}

function changeOf(before: Vars, after: Vars): Change {
  const removed = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  const set = Object.entries(after).filter(([name, value]) => ownValue(before, name) !== value);
  return Object.fromEntries([...set, ...removed.map((name) => [name, null])]);
}

/** Editors end a file with a new line. */
function changeOfOne(name: string, before: string | undefined, text: string): Change {
  const value = before?.endsWith('\n') ? text : text.replace(/\n$/, '');
  return value === (before ?? '') ? {} : { [name]: value };
}

/**
 * Sends the change, unless somebody else has changed the same config vars meanwhile.
 * @throws TailraceError `conflict` then
 */
async function send(
  client: ApiClient,
  app: string,
  path: string,
  before: Vars,
  change: Change,
): Promise<void> {
  for (;;) {
    const { value: now, etag } = await client.requestTagged<Vars>('GET', path);
    const changedBoth = Object.keys(change).filter((name) => ownValue(now, name) !== ownValue(before, name));
    if (changedBoth.length > 0)
      throw new TailraceError(
        'conflict',
        `${changedBoth.join(', ')} of ${app} was changed by somebody else while you edited: nothing was changed.`,
      );
    try {
      await client.request('PATCH', path, change, etag);
      return;
    } catch (error) {
      if (!(error instanceof TailraceError) || error.code !== 'precondition_failed') throw error;
    }
  }
}
