/** Runs git. */
import { spawn } from 'node:child_process';
import type { Environment } from '../../processes/config/dyno-env.ts';
import { closingDescriptorsOf } from '../../processes/inherited-descriptors.ts';

export interface GitResult {
  /** 127 if git couldn't be started. */
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const STDERR_MAX = 4_000;

/** @param env the whole environment */
export async function runGit(args: readonly string[], env: Environment, cwd?: string): Promise<GitResult> {
  const git = closingDescriptorsOf('git', args);
  const child = spawn(git.program, git.args, { cwd, env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const stdout: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_MAX);
  });
  const status = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      stderr = error.message;
      resolve(127);
    });
    child.once('close', (code) => resolve(code ?? 137));
  });
  return { status, stdout: Buffer.concat(stdout), stderr };
}

/**
 * Runs git for a list whose entries end with NUL, which may be without end.
 * @param onEntry returns false when that was enough: git is stopped
 */
export async function listWithGit(
  args: readonly string[],
  env: Environment,
  onEntry: (entry: string) => boolean,
): Promise<void> {
  const git = closingDescriptorsOf('git', args);
  const child = spawn(git.program, git.args, { env: { ...env }, stdio: ['ignore', 'pipe', 'ignore'] });
  let rest = '';
  let isEnough = false;
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    if (isEnough) return;
    const entries = (rest + text).split('\0');
    rest = entries.pop() ?? '';
    isEnough = entries.some((entry) => !onEntry(entry));
    if (isEnough) child.kill('SIGKILL');
  });
  await new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
}

/** An environment without what git sets for its hooks, and without settings of others: a repository that it names is meant. */
export function withoutGitVariables(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('GIT_')));
}

/** Nobody's settings apply: neither filters nor line endings depend on who runs the server. */
export const ISOLATED_GIT = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' } as const;

/** A URL, or text with URLs in it, without user names and passwords. */
export function redactGitUrls(text: string): string {
  const [first, ...rest] = text.split('://');
  const redacted = rest.map((part) => {
    const end = part.search(/[/\s']/);
    const at = part.slice(0, end === -1 ? part.length : end).lastIndexOf('@');
    return part.slice(at + 1);
  });
  return [first, ...redacted].join('://');
}
