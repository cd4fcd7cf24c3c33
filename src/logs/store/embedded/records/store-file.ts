/** What `store.mdb` holds, read without LMDB, and whether a server may open it. */

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../../../../common/errors.ts';
import { readIfExistsNow } from '../../../../common/files/read-if-exists.ts';
import type { AppId, StoredRecord } from '../../contract.ts';
import type { StreamNote } from '../streams/stream-note.ts';
import { FRAMES_DATABASE } from './frame-ids.ts';
import { readLmdb, readLmdbBootId } from './lmdb-pages.ts';
import { RECORDS_DATABASE, type VersionedData } from './records.ts';
import { isLegacyValue, readLegacyValue, recordName, unsealValue } from './sealed-value.ts';
import { NOTES_DATABASE } from './stream-notes.ts';

export const STORE_FILE = 'store.mdb';
/** The database with the format of all others. */
export const FORMAT_DATABASE = 'format';
/** Since when lines may be deleted from segments; since format 3 there is a commit log, since format 2 each value has a checksum. */
export const FOLDER_FORMAT = 4;

/** In lmdb-js's keys: what comes before a control character, and before one at the start of a string. */
const ESCAPE = 4;
const START_ESCAPE = 27;

const DATABASES: ReadonlySet<string> = new Set([
  FORMAT_DATABASE,
  RECORDS_DATABASE,
  NOTES_DATABASE,
  FRAMES_DATABASE,
]);

export interface ScopedRecord extends StoredRecord {
  readonly scope: string;
}

export interface StoreFileContent {
  readonly state: 'missing' | 'empty' | 'damaged' | 'intact';
  /** What is damaged, for the brackets in a sentence. */
  readonly damage: string;
  /** Undefined before format 2. */
  readonly format: number | undefined;
  readonly records: readonly ScopedRecord[];
  readonly notes: ReadonlyMap<AppId, StreamNote>;
  /** Names of records whose values are damaged. */
  readonly damagedRecords: readonly string[];
  /** Records were found without their tree: some of them may have been deleted. */
  readonly hasLeftovers: boolean;
}

/** Reads the folder's `store.mdb`, also one that LMDB couldn't open. */
export function readStoreFile(folder: string): StoreFileContent {
  const file = readIfExistsNow(join(folder, STORE_FILE));
  if (!file || file.length === 0) return { ...NOTHING, state: file ? 'empty' : 'missing' };
  const content = readLmdb(file, readLmdbBootId());
  const { databases } = content;
  const marked = databases.get(FORMAT_DATABASE)?.[0];
  const format = marked && (unsealValue<number>([FORMAT_DATABASE], marked.value)?.value ?? FOLDER_FORMAT);
  // Under another name LMDB finds none, and makes an empty one. A later version may have more.
  const strangers = [...databases].filter(
    ([name]) => !DATABASES.has(name) && !((format ?? 0) > FOLDER_FORMAT),
  );
  const leftovers = [...content.leftovers, ...strangers.flatMap(([, entries]) => entries)];
  const damage =
    content.damage ?? (strangers.length > 0 ? 'the name of one of its databases is wrong' : undefined);
  const records = new Map<string, ScopedRecord>();
  const notes = new Map<AppId, StreamNote>();
  const damagedRecords: string[] = [];
  for (const { key, value } of databases.get(RECORDS_DATABASE) ?? []) {
    const [scope, name = ''] = decodeKey(key);
    const record = openRecordValue(scope, name, value, format === undefined);
    if (record) records.set(`${scope}\0${name}`, record);
    else damagedRecords.push(recordName(scope, name));
  }
  for (const { key, value } of databases.get(NOTES_DATABASE) ?? []) addNote(notes, key, value);
  const found = new Map<string, ScopedRecord>();
  for (const { key, value } of leftovers) {
    const [scope, name] = decodeKey(key);
    const record = name === undefined ? undefined : openRecordValue(scope, name, value, format === undefined);
    // A key or a session that was revoked must not come back.
    if (record && !/^(key|session)\//.test(record.key)) found.set(`${scope}\0${name}`, record);
    if (!notes.has(scope as AppId)) addNote(notes, key, value);
  }
  for (const [name, record] of found) if (!records.has(name)) records.set(name, record);
  return {
    state: damage === undefined ? 'intact' : 'damaged',
    damage: damage ?? '',
    format,
    records: [...records.values()],
    notes,
    damagedRecords,
    hasLeftovers: found.size > 0,
  };
}

/**
 * Checks that a server may open the folder's `store.mdb`: LMDB ends the process when it meets a damaged file, and without the file nobody
 * would see the lines that are there.
 * @throws Error a sentence that says what to do
 */
export function assertStoreUsable(folder: string): StoreFileContent {
  const content = readStoreFile(folder);
  const { state, damage, damagedRecords } = content;
  const repair = repairCommand(folder);
  if (state === 'missing' || state === 'empty') {
    const apps = appsWithLines(folder).length;
    const which =
      state === 'missing' ? `There is no ${STORE_FILE} in ${folder}` : `${STORE_FILE} in ${folder} is empty`;
    if (apps > 0)
      throw new StoreDamage(
        `${which}, and its streams hold lines of ${apps} ${apps === 1 ? 'app' : 'apps'}: put ${STORE_FILE} back from a copy, or run ${repair}, which makes a new one with new names and tokens.`,
      );
  }
  if (state === 'damaged') throw new StoreDamage(damagedStoreFile(folder, damage));
  const [name, ...more] = damagedRecords;
  if (name !== undefined) {
    const others = more.length > 0 ? ` and ${more.length} more` : '';
    throw new StoreDamage(
      `The record ${name}${others} in ${join(folder, STORE_FILE)} ${more.length > 0 ? 'are' : 'is'} damaged: put ${STORE_FILE} back from a copy, or run ${repair}, which sets ${more.length > 0 ? 'them' : 'it'} aside.`,
    );
  }
  if (content.format !== undefined && content.format > FOLDER_FORMAT)
    throw new StoreDamage(newerFormat(folder));
  return content;
}

/** The sentence for a file that can't be read. */
export function damagedStoreFile(folder: string, damage: string): string {
  return `${STORE_FILE} in ${folder} is damaged (${damage}): put it back from a copy, or run ${repairCommand(folder)}, which keeps what can still be read.`;
}

function repairCommand(folder: string): string {
  return `\`TAILRACE_DATA=${folder} tailrace repair\``;
}

/** Why a folder can't be used as it is: a whole sentence, with what to do. */
export class StoreDamage extends Error {}

/** The sentence for a folder of a later version. */
export function newerFormat(folder: string): string {
  return `The data folder ${folder} was written by a newer version of tailrace: use that one, or choose another folder with TAILRACE_DATA.`;
}

/** Ids of the apps with a segment that isn't empty. */
export function appsWithLines(folder: string): string[] {
  const streams = join(folder, 'streams');
  return namesIn(streams).filter(
    (app) =>
      /^[0-9a-f-]{36}$/.test(app) &&
      namesIn(join(streams, app)).some(
        (name) =>
          name.endsWith('.log') &&
          (statSync(join(streams, app, name), { throwIfNoEntry: false })?.size ?? 0) > 0,
      ),
  );
}

const NOTHING: Omit<StoreFileContent, 'state'> = {
  damage: '',
  format: undefined,
  records: [],
  notes: new Map(),
  damagedRecords: [],
  hasLeftovers: false,
};

function openRecordValue(
  scope: string,
  key: string,
  stored: Buffer,
  mayBeLegacy: boolean,
): ScopedRecord | undefined {
  const sealed = unsealValue<VersionedData>([RECORDS_DATABASE, scope, key], stored);
  const opened =
    sealed ?? (mayBeLegacy && isLegacyValue(stored) ? readLegacyValue<VersionedData>(stored) : undefined);
  if (typeof opened?.value?.v !== 'number') return undefined;
  return { scope, key, value: opened.value.data, version: opened.value.v };
}

function addNote(notes: Map<AppId, StreamNote>, key: Buffer, stored: Buffer): void {
  const app = decodeKey(key)[0] as AppId;
  const note = unsealValue<StreamNote>([NOTES_DATABASE, app], stored);
  if (note) notes.set(app, note.value);
}

/** The strings of a key as lmdb-js writes it (ordered-binary): zeros between them, 4 before a control character, 27 before the first. */
function decodeKey(key: Buffer): string[] {
  if (key.includes(ESCAPE)) return decodeEscapedKey(key);
  const parts = key.toString().split('\0');
  return parts.map((part) => (part.charCodeAt(0) === START_ESCAPE ? part.slice(1) : part));
}

function decodeEscapedKey(key: Buffer): string[] {
  const parts: number[][] = [[]];
  for (let i = 0; i < key.length; i++) {
    const part = parts[parts.length - 1];
    if (key[i] === 0) parts.push([]);
    else if (key[i] === ESCAPE) part.push(key[++i]);
    else if (key[i] !== START_ESCAPE || part.length > 0) part.push(key[i]);
  }
  return parts.map((bytes) => Buffer.from(bytes).toString());
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error))) return [];
    throw error;
  }
}
