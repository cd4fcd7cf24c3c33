import { homedir } from 'node:os';
import type { Settings } from '../../common/config/settings.ts';
import { TailraceError } from '../../common/errors.ts';
import { defaultIsolation, type Isolation, isolationError } from '../processes/bubblewrap.ts';

/**
 * The isolation of dynos that the settings ask for; undefined: none.
 * @throws TailraceError `settings` when this system can't do it: dynos that only seem isolated are worse than none
 */
export async function isolationFromSettings(
  settings: Pick<Settings, 'isolation' | 'isolationReadable' | 'data'>,
): Promise<Isolation | undefined> {
  if (settings.isolation === 'none') return undefined;
  const wanted = defaultIsolation(settings.data, homedir(), settings.isolationReadable);
  const reason = await isolationError(wanted);
  if (reason === undefined) return wanted;
  throw new TailraceError(
    'settings',
    `TAILRACE_ISOLATION is "bubblewrap", but that doesn't work here (${reason}): install bubblewrap, allow user namespaces, or set it to none.`,
  );
}
