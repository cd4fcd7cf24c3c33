/** `tailrace repair`: keeps what is intact of a data folder, sets aside what isn't, and says exactly what is lost. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { open } from 'lmdb';
import { TailraceError } from '../../../../common/errors.ts';
import { writeFullySync } from '../../../../common/files/write-fully.ts';
import type { AppId, RecordChange, Sequence } from '../../contract.ts';
import { COMMITS_FOLDER } from '../commit-log/commit-log.ts';
import { lockFolder } from '../folder-lock.ts';
import { assertFormat, writeMarker } from '../records/format-marker.ts';
import { RECORDS_DATABASE } from '../records/records.ts';
import { sealValue } from '../records/sealed-value.ts';
import { readStoreFile, STORE_FILE, StoreDamage, type StoreFileContent } from '../records/store-file.ts';
import { NOTES_DATABASE } from '../records/stream-notes.ts';
import { upgradeStore } from '../records/upgrade.ts';
import {
  type CommitPlan,
  type ExaminedCommitFile,
  examineCommitLog,
  linesInCommits,
  planCommits,
} from './commits.ts';
import { appFolders, type ExaminedSegment, examineSegments } from './examine.ts';
import { planStream, type SegmentStep, type StreamPlan } from './plan.ts';

export interface RepairOptions {
  readonly folder: string;
  /** Only says what would be done. */
  readonly dryRun: boolean;
  /** The records of an app that is made for a stream that no record leads to. */
  readonly newApp: (id: AppId, name: string) => readonly RecordChange[];
}

/** Lines of an app that are gone. */
export interface LostRange {
  readonly app: string;
  readonly first: Sequence;
  readonly last: Sequence;
}

export interface RepairReport {
  /** What was done, or would be: a sentence each. */
  readonly steps: readonly string[];
  readonly lost: readonly LostRange[];
  /** Of the data folder: where what was damaged is now; undefined when there is nothing. */
  readonly damagedFolder: string | undefined;
  readonly intactBytes: number;
  readonly damagedBytes: number;
}

/**
 * Repairs a data folder that no server uses.
 * @throws TailraceError `data_folder` when one does, or there is nothing to repair
 */
export async function repairFolder(options: RepairOptions): Promise<RepairReport> {
  const { folder, dryRun } = options;
  if (!existsSync(join(folder, 'streams')) && !existsSync(join(folder, STORE_FILE)))
    throw new TailraceError(
      'data_folder',
      `There is no store in ${folder}: name the data folder of a server with TAILRACE_DATA.`,
    );
  const unlock = lockFolder(folder);
  try {
    const store = readStoreFile(folder);
    assertFormat(folder, store.format);
    const commits = examineCommitLog(folder, appsOf(folder, store));
    const repair = new Repair(options, store, await planStreams(folder, store, commits), commits);
    if (!dryRun) await repair.apply();
    return repair.report();
  } catch (error) {
    if (error instanceof StoreDamage) throw new TailraceError('data_folder', error.message);
    throw error;
  } finally {
    unlock();
  }
}

/**
 * What a repair would do with a data folder that no server uses.
 * @param pace awaited with the bytes of each file that was read
 */
export async function inspectFolder(
  folder: string,
  pace: (bytes: number) => Promise<void>,
): Promise<RepairReport> {
  const store = readStoreFile(folder);
  const commits = examineCommitLog(folder, appsOf(folder, store));
  for (const { bytes } of commits) await pace(bytes);
  const plans = await planStreams(folder, store, commits, pace);
  return new Repair({ folder, dryRun: true, newApp: () => [] }, store, plans, commits).report();
}

/** The apps that have a folder, or a note. */
function appsOf(folder: string, { notes }: StoreFileContent): AppId[] {
  return [...new Set([...appFolders(folder), ...notes.keys()])];
}

async function planStreams(
  folder: string,
  store: StoreFileContent,
  commits: readonly ExaminedCommitFile[],
  pace: (bytes: number) => Promise<void> = async () => {},
): Promise<StreamPlan[]> {
  const { notes } = store;
  const apps = appsOf(folder, store);
  const byOwner = new Map<AppId, ExaminedSegment[]>(apps.map((app) => [app, []]));
  for await (const segment of examineSegments(folder, apps)) {
    byOwner.get(segment.owner ?? segment.folder)?.push(segment);
    await pace(segment.bytes);
  }
  return [...byOwner].map(([app, segments]) =>
    planStream(app, segments, notes.get(app), linesInCommits(commits, app)),
  );
}

class Repair {
  private readonly options: RepairOptions;
  private readonly store: StoreFileContent;
  private readonly plans: readonly StreamPlan[];
  private readonly commits: readonly ExaminedCommitFile[];
  private readonly commitPlans: readonly CommitPlan[];
  private readonly names = new Map<string, string>();
  /** Streams with lines that no record leads to. */
  private readonly unknownApps: AppId[];
  private readonly damagedFolder: string;
  private readonly steps: string[] = [];
  private setAside = false;

  constructor(
    options: RepairOptions,
    store: StoreFileContent,
    plans: readonly StreamPlan[],
    commits: readonly ExaminedCommitFile[],
  ) {
    this.options = options;
    this.commits = commits;
    this.commitPlans = planCommits(commits, plans);
    this.store = store;
    this.plans = plans;
    this.damagedFolder = join(options.folder, 'damaged', new Date().toISOString().replace(/[:.]/g, '-'));
    for (const { scope, key, value } of store.records)
      if (scope === '' && key.startsWith('app/'))
        this.names.set(key.slice('app/'.length), (value as { name?: string }).name ?? key);
    this.unknownApps = plans
      .filter(
        ({ app, note }) =>
          !this.names.has(app) && note !== undefined && note.segments.some(({ size }) => size > 0),
      )
      .map(({ app }) => app);
    const taken = new Set(this.names.values());
    for (const app of this.unknownApps) this.names.set(app, newName(app, taken));
    this.describeStore();
    for (const { steps } of plans) for (const step of steps) this.describeStep(step);
    for (const file of commits) this.describeCommitFile(file);
  }

  report(): RepairReport {
    const segments = this.plans.flatMap(({ steps }) => steps.map(({ segment }) => segment));
    const inCommits = this.commits.map(({ bytes, content: { damagedBytes } }) => ({ bytes, damagedBytes }));
    const files = [...segments, ...inCommits];
    const damagedBytes = files.reduce((sum, file) => sum + file.damagedBytes, 0);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    return {
      steps: this.steps,
      lost: [...this.plans, ...this.commitPlans].flatMap(({ app, lost }) =>
        lost.map(([first, last]) => ({ app: this.names.get(app) ?? app, first, last })),
      ),
      damagedFolder: this.setAside ? this.damagedFolder : undefined,
      intactBytes: bytes - damagedBytes,
      damagedBytes,
    };
  }

  async apply(): Promise<void> {
    const hasLost = this.plans.some(({ isChanged }) => isChanged);
    if (this.steps.length === 0 && !hasLost) return;
    this.writeRuns();
    this.moveFiles();
    this.writeCommits();
    await this.writeStore();
  }

  private describeStore(): void {
    const { state, damage, damagedRecords, records, hasLeftovers } = this.store;
    const unknown = this.unknownApps.map((app) => this.names.get(app)).join(', ');
    if (state === 'damaged') {
      this.setAside = true;
      const deleted = hasLeftovers
        ? ', some of which may have been deleted before; API keys among them are not taken over'
        : '';
      this.steps.push(
        `${STORE_FILE} is damaged (${damage}): a new one gets the ${records.length} records that can be read${deleted}.`,
      );
    } else if (state !== 'intact' && unknown !== '')
      this.steps.push(`${STORE_FILE} is ${state}: a new one is made.`);
    for (const name of damagedRecords) {
      this.setAside = true;
      this.steps.push(
        `The record ${name} is damaged: it is set aside with the whole ${STORE_FILE}, and is lost.`,
      );
    }
    if (unknown !== '')
      this.steps.push(
        `No record leads to the streams of ${this.unknownApps.length} ${this.unknownApps.length === 1 ? 'app' : 'apps'}: new ones are made for them (${unknown}), with new tokens; their names, tokens, drains and settings can't be known.`,
      );
  }

  private describeStep(step: SegmentStep): void {
    const { folder, name, bytes, damagedBytes, owner } = step.segment;
    const file = `${name} of ${this.names.get(folder) ?? folder}`;
    if (step.kind === 'move') {
      const to = owner === folder ? '' : `belongs to ${this.names.get(owner ?? '') ?? owner} and `;
      this.steps.push(`${file} ${to}is called ${step.to}: it gets its place.`);
    } else if (step.kind === 'cut') {
      this.setAside = true;
      this.steps.push(
        `${file} has ${damagedBytes} damaged bytes of ${bytes}: they are cut out; the file as it was is set aside.`,
      );
    } else if (step.kind === 'set-aside') {
      this.setAside = true;
      const why = step.isCopy ? 'is a copy of lines that are there' : 'holds nothing that is intact';
      this.steps.push(`${file} (${bytes} bytes) ${why}: it is set aside.`);
    }
  }

  private describeCommitFile({ name, bytes, content: { damagedBytes } }: ExaminedCommitFile): void {
    if (damagedBytes === 0) return;
    this.setAside = true;
    this.steps.push(
      `${COMMITS_FOLDER}/${name} has ${damagedBytes} damaged bytes of ${bytes}: the lines in it that are intact are written to their streams, and it is set aside.`,
    );
  }

  /** Intact runs go into files of their own first; under names that nobody reads yet. */
  private writeRuns(): void {
    for (const { app, steps } of this.plans)
      for (const step of steps) {
        if (step.kind !== 'cut') continue;
        const bytes = readFileSync(this.pathOf(step.segment));
        mkdirSync(this.streamFolder(app), { recursive: true, mode: 0o700 });
        for (const { name, from, to } of step.runs)
          writeSynced(`${join(this.streamFolder(app), name)}.repaired`, bytes.subarray(from, to));
      }
  }

  private moveFiles(): void {
    const placed: [from: string, to: string][] = [];
    for (const { app, steps } of this.plans)
      for (const step of steps) {
        const from = this.pathOf(step.segment);
        if (step.kind === 'move') {
          mkdirSync(this.streamFolder(app), { recursive: true, mode: 0o700 });
          const to = join(this.streamFolder(app), step.to);
          renameSync(from, `${to}.repaired`);
          placed.push([`${to}.repaired`, to]);
        } else if (step.kind !== 'keep') {
          const aside = join(this.damagedFolder, 'streams', step.segment.folder, step.segment.name);
          mkdirSync(dirname(aside), { recursive: true, mode: 0o700 });
          renameSync(from, aside);
        }
        if (step.kind === 'cut')
          for (const { name } of step.runs) {
            const to = join(this.streamFolder(app), name);
            placed.push([`${to}.repaired`, to]);
          }
      }
    for (const [from, to] of placed) renameSync(from, to);
  }

  /** The intact batches of a damaged commit log become segments. */
  private writeCommits(): void {
    if (this.commits.every(({ content }) => content.damagedBytes === 0)) return;
    for (const { app, segments } of this.commitPlans)
      for (const { name, bytes } of segments) {
        mkdirSync(this.streamFolder(app), { recursive: true, mode: 0o700 });
        writeSynced(join(this.streamFolder(app), name), bytes);
      }
    for (const { name, content } of this.commits) {
      const path = join(this.options.folder, COMMITS_FOLDER, name);
      if (content.damagedBytes === 0) rmSync(path);
      else {
        const aside = join(this.damagedFolder, COMMITS_FOLDER, name);
        mkdirSync(dirname(aside), { recursive: true, mode: 0o700 });
        renameSync(path, aside);
      }
    }
  }

  private async writeStore(): Promise<void> {
    const { folder, newApp } = this.options;
    const { state, records, damagedRecords, format } = this.store;
    const file = join(folder, STORE_FILE);
    const isNew = state !== 'intact' || damagedRecords.length > 0;
    const path = isNew ? `${file}.repaired` : file;
    if (isNew) rmSync(path, { force: true });
    const root = open({ path, maxDbs: 8, noMemInit: true, encoding: 'binary' });
    upgradeStore(root, isNew ? undefined : format);
    const db = root.openDB<Buffer, [string, string]>({ name: RECORDS_DATABASE, encoding: 'binary' });
    const notes = root.openDB<Buffer, string>({ name: NOTES_DATABASE, encoding: 'binary' });
    root.transactionSync(() => {
      const put = (scope: string, key: string, v: number, data: unknown): void =>
        void db.putSync([scope, key], sealValue([RECORDS_DATABASE, scope, key], { v, data }));
      if (isNew) for (const { scope, key, version, value } of records) put(scope, key, version, value);
      for (const app of this.unknownApps)
        for (const { key, value } of newApp(app, this.names.get(app) ?? app)) put('', key, 1, value);
      for (const { app, note } of [...this.plans, ...this.commitPlans])
        if (note) notes.putSync(app, sealValue([NOTES_DATABASE, app], note));
    });
    await root.flushed;
    await root.close();
    if (isNew) {
      if (existsSync(file)) {
        mkdirSync(this.damagedFolder, { recursive: true, mode: 0o700 });
        renameSync(file, join(this.damagedFolder, STORE_FILE));
      }
      renameSync(path, file);
      for (const lock of [`${path}-lock`, `${file}-lock`]) rmSync(lock, { force: true });
    }
    writeMarker(folder);
  }

  private streamFolder(app: AppId): string {
    return join(this.options.folder, 'streams', app);
  }

  private pathOf({ folder, name }: ExaminedSegment): string {
    return join(this.streamFolder(folder), name);
  }
}

/** The name of an app that is made for a stream. */
function newName(app: AppId, taken: ReadonlySet<string>): string {
  const short = `recovered-${app.slice(0, 8)}`;
  return taken.has(short) ? `recovered-${app.replaceAll('-', '').slice(0, 20)}` : short;
}

function writeSynced(path: string, bytes: Buffer): void {
  const fd = openSync(path, 'w', 0o600);
  try {
    writeFullySync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
