import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Packs a folder into a gzipped tar file, with the system's `tar`. Rejects with what `tar` said. */
export async function packFolder(
  folder: string,
  file: string,
  exclude: readonly string[] = [],
): Promise<void> {
  const excludes = exclude.map((pattern) => `--exclude=${pattern}`);
  await runTar(['-czf', file, ...excludes, '-C', folder, '.']);
}

/**
 * Unpacks a gzipped tar file into a folder that is there. To be asked only for what `listTar` has accepted.
 * @param exclude patterns of names that begin with `./`, whether or not those in the archive do
 */
export async function unpackTar(
  file: string,
  folder: string,
  exclude: readonly string[] = [],
): Promise<void> {
  const both = exclude.flatMap((pattern) => [pattern, pattern.replace(/^\.\//, '')]);
  const excludes = both.map((pattern) => `--exclude=${pattern}`);
  await runTar(['-xzf', file, '--no-same-owner', '--anchored', ...excludes, '-C', folder]);
}

async function runTar(args: readonly string[]): Promise<void> {
  const child = spawn('tar', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-2_000);
  });
  const [status] = await once(child, 'close');
  if (status !== 0) throw new Error(`tar failed: ${stderr.trim() || `status ${status}`}`);
}
