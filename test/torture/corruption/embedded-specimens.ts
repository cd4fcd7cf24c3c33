/** The embedded store: a segment, a file of the commit log, and the records with the notes of streams. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newAppChanges } from '../../../src/apps/records/app-registry.ts';
import { TailraceError } from '../../../src/common/errors.ts';
import type { AppId, StreamDamage } from '../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import {
  assertStoreUsable,
  STORE_FILE,
  StoreDamage,
} from '../../../src/logs/store/embedded/records/store-file.ts';
import { batchOf, linesOf, newAppId } from '../../support/batches.ts';
import type { Damage, Specimen, Verdict } from './specimen.ts';

const RETENTION = { lines: 1e9, bytes: 1e6, ageMs: 1e12 };
const NOTES = 6;
const BATCHES = 4;

/** Bytes of a file of the commit log that takes no more, where it has to: two batches of each app. */
const FULL_FILE_BYTES = 6_000;
/** Of a line in a file that is read where it is: entries of two have more than 1,024 bytes. */
const LONG_LINE_BYTES = 500;

const open = (folder: string, commitFileBytes?: number): EmbeddedStore =>
  new EmbeddedStore({ folder, retention: RETENTION, durability: 'process', commitFileBytes });

const lineOf = (app: AppId, number: number, bytes = 0): string =>
  `${app} has line ${number}${' x'.repeat(number % 5)}`.padEnd(bytes, '.');

export type EmbeddedKind = 'segments' | 'commits' | 'records';

/** Three apps with a few lines each, of which some are in a commit log, as a killed process leaves it. */
export async function embeddedSpecimen(kind: EmbeddedKind): Promise<Specimen> {
  const work = mkdtempSync(join(tmpdir(), 'tailrace-corruption-'));
  const [base, folder] = [join(work, 'base'), join(work, 'copy')];
  const apps = Array.from({ length: 3 }, newAppId);
  const store = open(join(work, 'live'));
  await makeApps(store, apps);
  // One after the other they go to segments, together to the commit log.
  await fill(store, apps, kind !== 'segments');
  if (kind !== 'commits') await store.close();
  cpSync(join(work, 'live'), base, { recursive: true, filter: (path) => !path.endsWith('/lock') });
  if (kind === 'commits') await store.close();
  const files = {
    segments: () => readdirSync(join(base, 'streams', apps[0])).map((name) => join('streams', apps[0], name)),
    commits: () => readdirSync(join(base, 'commits')).map((name) => join('commits', name)),
    records: () => [STORE_FILE],
  }[kind]();
  if (files.length === 0) throw new Error(`the folder has no file of the kind ${kind}`);

  const restore = (): void => {
    rmSync(folder, { recursive: true, force: true });
    cpSync(base, folder, { recursive: true });
  };
  restore();
  return {
    kind,
    files: files.map((file) => join(folder, file)),
    restore,
    examine: (damage) =>
      examine(folder, apps, {
        isRecords: kind === 'records',
        // Nothing tells the end of a commit log that was cut off from one that was never written.
        mayEndEarly: kind === 'commits' && damage.kind === 'cut',
      }),
    remove: async () => rmSync(work, { recursive: true, force: true }),
  };
}

async function makeApps(store: EmbeddedStore, apps: readonly AppId[]): Promise<void> {
  for (const [i, app] of apps.entries()) {
    await store.transact('', newAppChanges(app, `app-${i}`).changes);
    for (let note = 0; note < NOTES; note++)
      await store.transact(app, [{ key: `note/${note}`, value: { app, note } }]);
  }
}

async function fill(
  store: EmbeddedStore,
  apps: readonly AppId[],
  isTogether: boolean,
  bytes?: number,
): Promise<void> {
  for (let batch = 0; batch < BATCHES; batch++) {
    const append = (app: AppId, i: number) =>
      store.append(
        app,
        batchOf(lineOf(app, 2 * batch + 1, bytes), lineOf(app, 2 * batch + 2, bytes)),
        i === 0 && batch === 1 ? { frameId: `frame ${batch}` } : undefined,
      );
    if (isTogether) await Promise.all(apps.map(append));
    else for (const [i, app] of apps.entries()) await append(app, i);
  }
}

/**
 * Three apps with larger lines, of which most are in a full file of the commit log: the store that runs has them nowhere else, and reads them there. The file is
 * damaged while it runs.
 */
export async function runningSpecimen(): Promise<Specimen> {
  const work = mkdtempSync(join(tmpdir(), 'tailrace-corruption-'));
  const [base, folder] = [join(work, 'base'), join(work, 'live')];
  const apps = Array.from({ length: 3 }, newAppId);
  const empty = open(base);
  await makeApps(empty, apps);
  await empty.close();
  let store = empty;
  let isOpen = false;
  const close = async (): Promise<void> => {
    if (isOpen) await store.close();
    isOpen = false;
  };
  const restore = async (): Promise<void> => {
    await close();
    rmSync(folder, { recursive: true, force: true });
    cpSync(base, folder, { recursive: true, filter: (path) => !path.endsWith('/lock') });
    store = open(folder, FULL_FILE_BYTES);
    isOpen = true;
    await store.checked;
    await fill(store, apps, true, LONG_LINE_BYTES);
  };
  await restore();
  const [full, newest] = readdirSync(join(folder, 'commits')).sort();
  if (newest === undefined) throw new Error('no file of the commit log is full');

  const look: Looking = { apps, lineBytes: LONG_LINE_BYTES, mayEndEarly: false };
  const examine = async ({ at }: Damage): Promise<Verdict> => {
    let appended = 0;
    // It is come across by whoever appends, who reads, or when all of it is written to segments.
    if (at % 3 === 1) await appendNew(store, apps, appended++);
    const found = at % 3 < 2 ? await readAndAppend(store, look, appended++, true) : undefined;
    await close();
    const first = found ?? (await startAndRead(folder, look, appended++, true));
    return verdictOf(first, folder, look, appended);
  };
  return {
    kind: 'running',
    files: [join(folder, 'commits', full)],
    restore,
    examine,
    remove: async () => {
      await close();
      rmSync(work, { recursive: true, force: true });
    },
  };
}

interface Allowances {
  readonly isRecords: boolean;
  /** The last lines of each app may be gone without a word. */
  readonly mayEndEarly: boolean;
}

async function examine(folder: string, apps: readonly AppId[], allowed: Allowances): Promise<Verdict> {
  if (allowed.isRecords)
    try {
      // What a start asks first; most damage ends here, and a start takes ten times as long.
      assertStoreUsable(folder);
    } catch (error) {
      return refusal(error);
    }
  const look: Looking = { apps, mayEndEarly: allowed.mayEndEarly };
  let first: Found;
  try {
    first = await startAndRead(folder, look, 0);
  } catch (error) {
    return refusal(error);
  }
  return verdictOf(first, folder, look, 1);
}

/** @param appended lines that were appended to each app since */
async function verdictOf(first: Found, folder: string, look: Looking, appended: number): Promise<Verdict> {
  const second = await startAndRead(folder, look, appended);
  for (const [app, numbers] of first.kept)
    if (String(second.kept.get(app)) !== String(numbers))
      throw new Error(`a second start has the lines ${second.kept.get(app)} of ${app} instead of ${numbers}`);
  const isComplete = [...first.kept.values()].every((numbers) => numbers.length === 2 * BATCHES);
  return first.damage.length > 0 ? 'said' : isComplete ? 'whole' : 'ended';
}

/** @throws what is no sentence that says what to do */
function refusal(error: unknown): Verdict {
  if (!(error instanceof TailraceError || error instanceof StoreDamage)) throw error;
  if (!/tailrace repair|newer version/.test(error.message))
    throw new Error(`a refusal that doesn't say what to do: ${error.message}`);
  return 'refused';
}

interface Found {
  readonly kept: ReadonlyMap<AppId, readonly number[]>;
  readonly damage: readonly StreamDamage[];
}

/** What is looked at, and how. */
interface Looking {
  readonly apps: readonly AppId[];
  /** Of each line; left out: few. */
  readonly lineBytes?: number;
  /** See {@link Allowances}. */
  readonly mayEndEarly: boolean;
}

async function appendNew(store: EmbeddedStore, apps: readonly AppId[], appended: number): Promise<void> {
  for (const app of apps) {
    const { first } = await store.append(app, batchOf(`new ${appended}`));
    if (first <= 2 * BATCHES + appended) throw new Error(`the number ${first} of ${app} is given again`);
  }
}

async function startAndRead(
  folder: string,
  look: Looking,
  appended: number,
  isFirst?: boolean,
): Promise<Found> {
  const store = open(folder);
  try {
    await store.checked;
    return await readAndAppend(store, look, appended, isFirst);
  } finally {
    await store.close();
  }
}

/**
 * @param appended lines that were appended to each app before: one more is
 * @param isFirst nobody has looked before
 */
async function readAndAppend(
  store: EmbeddedStore,
  { apps, lineBytes, mayEndEarly }: Looking,
  appended: number,
  isFirst = appended === 0,
): Promise<Found> {
  const damage: StreamDamage[] = [];
  store.watchDamage((one) => void damage.push(one));
  const known = (await store.list('', 'app/')).length;
  if (known !== apps.length) throw new Error(`${known} apps are there, silently`);
  const kept = new Map<AppId, number[]>();
  for (const app of apps) {
    for (const [note, { key, value }] of (await store.list(app, 'note/')).entries())
      if (key !== `note/${note}` || JSON.stringify(value) !== JSON.stringify({ app, note }))
        throw new Error(`the record ${key} was changed: ${JSON.stringify(value)}`);
    if ((await store.list(app, 'note/')).length !== NOTES) throw new Error('a record is gone, silently');
    const numbers: number[] = [];
    for (let after = 0; ; ) {
      const batches = await store.read(app, after, 1e6);
      if (batches.length === 0) break;
      for (const batch of batches)
        for (const [i, text] of linesOf([batch]).entries()) {
          const number = batch.first + i;
          if (text.startsWith('new ')) continue;
          if (text !== lineOf(app, number, lineBytes))
            throw new Error(`line ${number} of ${app} was changed: ${text}`);
          if (number <= (numbers.at(-1) ?? 0)) throw new Error(`line ${number} of ${app} comes twice`);
          numbers.push(number);
        }
      after = batches.at(-1)!.last;
    }
    for (let number = 1; number <= 2 * BATCHES; number++) {
      const isSaid = damage.some((one) => one.app === app && one.first <= number && number <= one.last);
      if (numbers.includes(number) && isSaid)
        throw new Error(`line ${number} is said to be lost, and is there`);
      const isBehindEnd = mayEndEarly && number > (numbers.at(-1) ?? 0);
      // Later ones needn't say again what is gone from the beginning.
      if (!numbers.includes(number) && !isSaid && isFirst && !isBehindEnd)
        throw new Error(`line ${number} of ${app} is lost, silently`);
    }
    const { first } = await store.append(app, batchOf(`new ${appended}`));
    if (first <= (mayEndEarly ? (numbers.at(-1) ?? 0) : 2 * BATCHES) + appended)
      throw new Error(`the number ${first} of ${app} is given again`);
    kept.set(app, numbers);
  }
  return { kept, damage };
}
