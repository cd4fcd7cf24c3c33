/** Builds `dist/` once, before any test starts a real server from it. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export default function setup(): void {
  execFileSync(process.execPath, [join(import.meta.dirname, '..', '..', '..', 'scripts', 'setup.mjs')], {
    stdio: 'inherit',
  });
}
