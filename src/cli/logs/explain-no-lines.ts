import { parseTime } from '../../common/time-expression.ts';
import { readQuery } from '../../logs/query/read-query.ts';
import { searchHint } from '../../logs/query/search-hint.ts';
import type { ApiClient } from '../api-client.ts';

/** What was asked for; see docs/tails.md. */
interface LineQuery {
  readonly source?: string;
  readonly dyno?: string;
  readonly level?: string;
  readonly q?: string;
  readonly since?: string;
  readonly until?: string;
}

/** Why a search has shown nothing, as far as that can be found out: a sentence. */
export async function explainNoLines(client: ApiClient, app: string, query: LineQuery): Promise<string> {
  const { dyno, source } = query;
  const search = query.q ? readQuery(query.q, '--query') : undefined;
  const since = query.since ?? search?.since;
  const until = query.until ?? search?.until;
  const path = `/apps/${encodeURIComponent(app)}`;
  if (since !== undefined && (parseTime(since, Date.now()) ?? 0) > Date.now())
    return `No lines: ${since} is still to come.`;
  if (since !== undefined && until !== undefined && timeOf(since) >= timeOf(until))
    return 'No lines: the range ends before it begins.';
  if (dyno !== undefined) {
    const reason = await unknownDyno(client, path, dyno.split(','));
    if (reason) return reason;
  }
  if (source !== undefined) {
    const reason = await unknownSource(client, path, source.split(','));
    if (reason) return reason;
  }
  const filters = [
    source && `--source ${source}`,
    dyno && `of ${dyno}`,
    query.level && `--level ${query.level}`,
    query.q && `-q ${query.q}`,
  ].filter((text) => text);
  const range = query.since === undefined && query.until === undefined ? '' : ' in that range';
  const hint = query.q && searchHint(query.q);
  if (filters.length > 0) return `No lines${range} match ${filters.join(', ')}.${hint ? ` ${hint}` : ''}`;
  return `No lines${range}: ${app} has written none, or they are too old to be kept.`;
}

/** Neither a dyno nor a type that the app has now; older lines were looked for, too. */
async function unknownDyno(
  client: ApiClient,
  path: string,
  asked: readonly string[],
): Promise<string | undefined> {
  const dynos = await client.request<{ name: string; type: string }[]>('GET', `${path}/dynos`);
  if (asked.some((name) => dynos.some((dyno) => dyno.name === name || dyno.type === name))) return undefined;
  const names = dynos.map(({ name }) => name).join(', ');
  return `No lines of ${asked.join(', ')}: the app has ${names === '' ? 'no dynos now' : `the dynos ${names}`}.`;
}

async function unknownSource(
  client: ApiClient,
  path: string,
  asked: readonly string[],
): Promise<string | undefined> {
  const tokens = await client.request<{ source: string }[]>('GET', `${path}/tokens`).catch(() => []);
  const known = [...new Set(['app', 'heroku', ...tokens.map(({ source }) => source)])];
  if (asked.some((name) => known.includes(name))) return undefined;
  return `No lines of the source ${asked.join(', ')}: there are ${known.join(', ')}.`;
}

function timeOf(text: string): number {
  return parseTime(text, Date.now()) ?? Number.NaN;
}
