/** Opens the streams that lines come into, the groups that those are in, and the store that keeps what was in them. */

import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Closers } from '../../src/common/closers.ts';
import type { Settings } from '../../src/common/config/settings.ts';
import { openLogCore } from '../../src/logs/composition/open-log-core.ts';
import type { AppId } from '../../src/logs/store/contract.ts';
import { removeUnfinishedBackups } from './backup/viewer-backup.ts';
import { LINES_FOLDER } from './config/data-folder.ts';
import { Groups, RECOVERED_GROUP } from './groups/groups.ts';
import { openLineStore } from './store/open-line-store.ts';
import type { PackedLineStore } from './store/packed-line-store.ts';

/** Name of the group that is there from the start. */
const FIRST_GROUP = 'default';

interface ViewerLines {
  readonly core: Awaited<ReturnType<typeof openLogCore>>;
  readonly groups: Groups;
  readonly lines: PackedLineStore;
  /** Deletes all lines of a stream. */
  readonly dropLines: (stream: AppId) => Promise<void>;
}

/** @param settings of the log router's parts */
export async function openViewerLines(
  settings: Settings,
  groupToken: string,
  log: Logger,
  closers: Closers,
): Promise<ViewerLines> {
  // Names are asked for while the store is opened: there are none yet.
  const opened: { groups?: Groups; lines?: PackedLineStore } = {};
  const core = await openLogCore(
    settings,
    log,
    () => ({ appName: async (stream) => opened.groups?.findStream(stream)?.name }),
    {
      mayTrim: trimmedWhenPacked(() => opened.lines),
      // What is packed isn't lost.
      isDamageReported: true,
    },
  );
  closers.add(core.close);
  const { store: records } = core;
  const groups = await Groups.open(records);
  opened.groups = groups;
  if (groups.list().length === 0) await groups.create(FIRST_GROUP, groupToken || undefined);
  await removeUnfinishedBackups(settings.data);
  const storeLog = log.child({ area: 'lines' });
  const lines = await openLineStore({
    folder: join(settings.data, LINES_FOLDER),
    store: records,
    onProblem: (message) => storeLog.warn({}, message),
  });
  closers.add(() => lines.close());
  opened.lines = lines;
  await followStreams(groups, lines, storeLog);
  const dropLines = async (stream: AppId): Promise<void> => {
    await lines.dropStream(stream);
    await records.dropStream(stream);
  };
  await groups.dropRemoved(dropLines);
  await adoptStreams(groups, lines, storeLog);
  return { core, groups, lines, dropLines };
}

/** May a stream be trimmed? What isn't packed yet is packed then, and trimmed later. */
function trimmedWhenPacked(
  lineStore: () => PackedLineStore | undefined,
): (stream: AppId, through: number) => boolean {
  const sealing = new Set<AppId>();
  return (stream, through) => {
    const lines = lineStore();
    if (!lines || lines.packedThrough(stream) >= through) return lines !== undefined;
    // Its part is closed earlier than it would be: until then it is read from the stream.
    if (!sealing.has(stream)) {
      sealing.add(stream);
      const end = (): void => void sealing.delete(stream);
      lines.seal(stream).then(end, end);
    }
    return false;
  };
}

/** Packs the lines of all streams, and of those that are made from now on. */
async function followStreams(groups: Groups, lines: PackedLineStore, log: Logger): Promise<void> {
  const follow = async (ids: readonly AppId[]): Promise<void> => {
    await Promise.all(ids.filter((id) => groups.findStream(id)).map((id) => lines.follow(id)));
  };
  groups.onChange((ids) => {
    follow(ids).catch((error: unknown) => log.warn({ err: error }, 'A stream cannot be packed.'));
  });
  await follow(groups.list().flatMap(({ id }) => groups.streamsOf(id).map((stream) => stream.id)));
}

/** Lines without a stream's record get one anew. */
async function adoptStreams(groups: Groups, lines: PackedLineStore, log: Logger): Promise<void> {
  const adopted = await groups.adopt(lines.storedStreams);
  if (adopted.length === 0) return;
  log.warn(
    { streams: adopted.map(({ name }) => name) },
    adopted.length === 1
      ? `The record of a stream is lost, its lines are not: it is in the group ${RECOVERED_GROUP} now, with a new name and token.`
      : `The records of ${adopted.length} streams are lost, their lines are not: they are in the group ${RECOVERED_GROUP} now, with new names and tokens.`,
  );
}
