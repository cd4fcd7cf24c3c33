/** The lines on the disk: every byte is read and checked, as slowly as not to be in a server's way. */

import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../../common/text/error-message.ts';
import { formatBytes } from '../../common/text/format-numbers.ts';
import type { AppId } from '../../logs/store/contract.ts';
import type { ExaminedSegment } from '../../logs/store/embedded/repair/examine.ts';
import { type CheckResult, resultsOf } from './check-result.ts';

/** Read at the most: a fraction of what disks and the checksum can do. */
const BYTES_PER_MS = 200_000;
/** So many findings are printed. */
const SHOWN_MAX = 10;
const REPAIR = 'stop the server and run `tailrace repair`, which keeps what is intact.';

const result = resultsOf('streams');

/** Checks the streams in a data folder. @param isRunning a server writes to them meanwhile */
export async function checkStreams(folder: string, isRunning: boolean): Promise<CheckResult[]> {
  try {
    return await (isRunning ? checkWhileRunning(folder) : checkStopped(folder));
  } catch (error) {
    return [result('trouble', errorMessage(error))];
  }
}

async function checkStopped(folder: string): Promise<CheckResult[]> {
  const { inspectFolder } = await import('../../logs/store/embedded/repair/repair.ts');
  const { steps, lost, intactBytes } = await inspectFolder(folder, pacer());
  const ranges = lost.map(({ app, first, last }) => `Lines ${first} to ${last} of ${app} are lost.`);
  return summarize(
    [...steps, ...ranges],
    intactBytes,
    '`tailrace repair --dry-run` says more; `tailrace repair` clears up.',
  );
}

async function checkWhileRunning(folder: string): Promise<CheckResult[]> {
  const { appFolders, examineFile, examineSegments } = await import(
    '../../logs/store/embedded/repair/examine.ts'
  );
  const pace = pacer();
  const findings: string[] = [];
  let intactBytes = 0;
  let before: ExaminedSegment | undefined;
  const add = async (segment: ExaminedSegment | undefined, isNewest: boolean): Promise<void> => {
    // The server may have written half of a batch when it was read.
    if (!segment || segment.damagedBytes === 0 || (isNewest && segment.isTorn)) return;
    const { folder: app, name, bytes, damagedBytes } = segment;
    // Over older bytes it may also have written on between what was read first and last: damage stays where it is.
    const again = isNewest ? await examineFile(folder, app, name, apps) : segment;
    if (!again || !damageStarts(segment).some((at) => damageStarts(again).includes(at))) return;
    findings.push(`${damagedBytes} of ${bytes} bytes in streams/${app}/${name} are damaged.`);
  };
  const apps: AppId[] = appFolders(folder);
  for await (const segment of examineSegments(folder, apps)) {
    await add(before, before?.folder !== segment.folder);
    before = segment;
    intactBytes += segment.bytes - segment.damagedBytes;
    await pace(segment.bytes);
  }
  await add(before, true);
  const { examineCommitLog } = await import('../../logs/store/embedded/repair/commits.ts');
  for (const { name, bytes, content } of examineCommitLog(folder, apps)) {
    const { damagedBytes } = content;
    if (damagedBytes > 0) findings.push(`${damagedBytes} of ${bytes} bytes in commits/${name} are damaged.`);
    intactBytes += bytes - damagedBytes;
    await pace(bytes);
  }
  return summarize(findings, intactBytes, `Readers skip what is damaged; ${REPAIR}`);
}

/** Where bytes of a segment begin that are no entries. */
function damageStarts({ runs }: ExaminedSegment): number[] {
  const starts = runs.map(({ to }) => to);
  return runs[0]?.from === 0 ? starts : [0, ...starts];
}

function summarize(findings: readonly string[], intactBytes: number, advice: string): CheckResult[] {
  if (findings.length === 0) return [result('ok', `${formatBytes(intactBytes)} of lines are intact`)];
  const shown = findings.slice(0, SHOWN_MAX).map((text) => result('trouble', `${text} ${advice}`));
  const more = findings.length - shown.length;
  return more > 0 ? [...shown, result('trouble', `${more} more of this kind: ${advice}`)] : shown;
}

/** Waits after each file as long as reading it may take. */
function pacer(): (bytes: number) => Promise<void> {
  const startMs = performance.now();
  let total = 0;
  return async (bytes) => {
    total += bytes;
    const aheadMs = total / BYTES_PER_MS - (performance.now() - startMs);
    if (aheadMs > 1) await sleep(aheadMs);
  };
}
