/** The latest builds of apps, which are kept: what became of them as records, what they said as files. */
import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../../common/files/replace-file.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';
import { Build, type BuildRecord } from './build-record.ts';

/** Builds of an app that are kept. */
export const BUILDS_MAX = 20;

const KEY_PREFIX = 'build/';

interface BuildHistoryOptions {
  readonly store: Store;
  /** Of the outputs, a folder an app. */
  readonly folder: string;
  /** This server, for good. */
  readonly server: () => string;
}

export class BuildHistory {
  private readonly options: BuildHistoryOptions;

  constructor(options: BuildHistoryOptions) {
    this.options = options;
  }

  /** The builds of an app that this server has made, oldest first. Those it died in have failed. */
  async load(app: AppId): Promise<Build[]> {
    const { store, server } = this.options;
    const records = (await store.list<BuildRecord>(app, KEY_PREFIX))
      .map(({ value }) => value)
      .filter((record) => record.server === server())
      .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
    return Promise.all(
      records.map(async (record) => {
        const build = Build.restore(record);
        if (record.status === 'pending') {
          build.appendOutput(' !     The server died during this build: nothing was released.');
          build.finish('failed');
          await this.save(app, build);
        } else this.readFromFile(app, build);
        return build;
      }),
    );
  }

  /** Writes a build down: what it said only when it has finished. */
  async save(app: AppId, build: Build): Promise<void> {
    const { store, server } = this.options;
    if (build.status !== 'pending') {
      await mkdir(this.folderOf(app), { recursive: true, mode: 0o700 });
      await replaceFile(this.file(app, build), build.outputText());
      this.readFromFile(app, build);
    }
    await store.transact(app, [{ key: key(build.id), value: build.toRecord(server()) }]);
  }

  /** Removes a build's record and its output; the slug stays. */
  async remove(app: AppId, build: Build): Promise<void> {
    await this.options.store.transact(app, [{ key: key(build.id), value: undefined }]);
    await rm(this.file(app, build), { force: true });
  }

  /** Removes what the builds of an app said. */
  async removeAll(app: AppId): Promise<void> {
    await rm(this.folderOf(app), { recursive: true, force: true, maxRetries: 3 });
  }

  private readFromFile(app: AppId, build: Build): void {
    build.readOutputFrom(() => readText(this.file(app, build)));
  }

  private folderOf(app: AppId): string {
    return join(this.options.folder, app);
  }

  private file(app: AppId, { id }: Build): string {
    return join(this.folderOf(app), `${id}.txt`);
  }
}

async function* readText(file: string): AsyncGenerator<string> {
  try {
    for await (const chunk of createReadStream(file, 'utf8')) yield String(chunk);
  } catch {
    yield 'What it said is no longer kept.\n';
  }
}

function key(id: string): string {
  return `${KEY_PREFIX}${id}`;
}
