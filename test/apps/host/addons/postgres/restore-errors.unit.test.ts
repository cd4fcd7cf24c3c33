import { expect, it } from 'vitest';
import { readRestoreErrors } from '../../../../../src/apps/host/addons/databases/restore-errors.ts';

it('what pg_restore says is told apart: what a database is whole without, and the rest', () => {
  const stderr = [
    'pg_restore: while PROCESSING TOC:',
    'pg_restore: from TOC entry 2; 3079 16385 EXTENSION nosuch (no owner)',
    'pg_restore: error: could not execute query: ERROR:  extension "nosuch" is not available',
    'DETAIL:  Could not open extension control file',
    'Command was: CREATE EXTENSION IF NOT EXISTS nosuch WITH SCHEMA public;',
    'pg_restore: from TOC entry 3344; 0 0 COMMENT EXTENSION nosuch (no owner)',
    'pg_restore: error: could not execute query: ERROR:  extension "nosuch" does not exist',
    'pg_restore: from TOC entry 215; 1259 16390 TABLE things app',
    'pg_restore: error: could not execute query: ERROR:  type "public.nosuch" does not exist',
    'pg_restore: error: COPY failed for table "things"',
    'pg_restore: warning: errors ignored on restore: 4',
  ].join('\n');
  expect(readRestoreErrors(stderr)).toEqual({
    warnings: [
      'could not execute query: ERROR:  extension "nosuch" is not available',
      'could not execute query: ERROR:  extension "nosuch" does not exist',
    ],
    errors: [
      'could not execute query: ERROR:  type "public.nosuch" does not exist',
      'COPY failed for table "things"',
    ],
  });
  expect(
    readRestoreErrors('pg_restore: error: input file does not appear to be a valid archive').errors,
  ).toEqual(['input file does not appear to be a valid archive']);
});
