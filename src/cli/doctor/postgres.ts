/** PostgreSQL of add-ons: which one, and who runs it. */

import { postgresAccount } from '../../apps/host/addons/services/postgres/account.ts';
import { findPostgresProgram, majorVersionOf } from '../../apps/host/addons/services/postgres/programs.ts';
import { reasonOf } from '../../common/errors.ts';
import { type CheckResult, resultsOf } from './check-result.ts';

/** Nothing where it isn't installed: no add-on needs it then. */
export async function checkPostgres(): Promise<CheckResult[]> {
  const result = resultsOf('postgresql');
  const program = findPostgresProgram('postgres');
  if (!program) return [];
  const missing = ['initdb', 'psql', 'pg_dump', 'pg_restore'].filter((name) => !findPostgresProgram(name));
  if (missing.length > 0)
    return [
      result(
        'note',
        `${missing.join(', ')} of PostgreSQL isn't installed: apt-get install postgresql postgresql-client, or there are no databases and backups.`,
      ),
    ];
  const version = `PostgreSQL ${await majorVersionOf(program)} for add-ons`;
  try {
    const account = await postgresAccount();
    if (!account) return [result('ok', version)];
    return [result('ok', `${version}, run as the user ${account.name}, since it refuses to run as root`)];
  } catch (error) {
    return [result('concern', error instanceof Error ? error.message : reasonOf(error))];
  }
}
