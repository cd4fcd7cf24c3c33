import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { replaceFileNow } from '../../common/files/replace-file.ts';
import { ownStartTicks, processStat } from '../../common/processes/process-identity.ts';

/** A process, named so that another one with the same number later on is not taken for it. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks after boot, from `/proc/<pid>/stat`. */
  startTicks: string;
}

export interface PidFileEntry extends ProcessIdentity {
  /** The dyno's UUID, which its processes carry as `HEROKU_DYNO_ID`. */
  id: string;
  name: string;
  /** How its first process alone is asked to end; unset: SIGTERM to the group. */
  leaderStopSignal?: NodeJS.Signals;
  /** The app that is told when the server dies with it; unset: nobody has to know. */
  app?: string;
}

/** What `dynos.json` holds. */
export interface PidFileContent {
  runner: ProcessIdentity;
  dynos: PidFileEntry[];
}

const FILE_NAME = 'dynos.json';

/** The PID file of the dynos that run: when the server crashes, `reapOrphans` ends those in it. */
export class DynoPidFile {
  private readonly folder: string;
  private readonly entries = new Map<number, PidFileEntry>();

  constructor(stateFolder: string) {
    this.folder = stateFolder;
    mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
  }

  /** A dyno's process has started. One that can't be told from others later on isn't written down. */
  add(
    pid: number,
    id: string,
    name: string,
    { leaderStopSignal, app }: Pick<PidFileEntry, 'leaderStopSignal' | 'app'> = {},
  ): void {
    const startTicks = processStat(pid)?.startTicks;
    // Without /proc (macOS), or when it has ended already, it couldn't be identified later.
    if (startTicks === undefined) return;
    this.entries.set(pid, { pid, startTicks, id, name, leaderStopSignal, app });
    this.write();
  }

  /** Its processes have ended; one that isn't in the file is no error. */
  remove(pid: number): void {
    if (this.entries.delete(pid)) this.write();
  }

  /** Another server works with the folder from now on. */
  leave(): void {
    rmSync(join(this.folder, FILE_NAME), { force: true });
  }

  private write(): void {
    const startTicks = ownStartTicks();
    try {
      writePidFile(this.folder, {
        runner: { pid: process.pid, startTicks },
        dynos: [...this.entries.values()],
      });
    } catch {
      // A full disk or a removed folder: the PID file is a precaution, and no reason to stop a running dyno.
    }
  }
}

/** Replaces the file in one step: a crash leaves the old one or the new one, never half of one. */
export function writePidFile(stateFolder: string, content: PidFileContent): void {
  mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
  const file = join(stateFolder, FILE_NAME);
  // After a power cut none of these processes runs.
  replaceFileNow(file, `${JSON.stringify(content)}\n`, { temporary: `${file}.${process.pid}`, sync: false });
}

/** Undefined if there is none, or nothing that this could have written. */
export function readPidFile(stateFolder: string): PidFileContent | undefined {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(join(stateFolder, FILE_NAME), 'utf8'));
  } catch {
    return undefined;
  }
  if (typeof content !== 'object' || content === null) return undefined;
  if (!('runner' in content) || !isProcessIdentity(content.runner)) return undefined;
  if (!('dynos' in content) || !Array.isArray(content.dynos)) return undefined;
  return { runner: content.runner, dynos: content.dynos.filter(isPidFileEntry) };
}

function isProcessIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== 'object' || value === null || !('pid' in value) || !('startTicks' in value))
    return false;
  // A pid of 0 or 1 would name our own group, or everybody.
  return Number.isInteger(value.pid) && Number(value.pid) > 1 && typeof value.startTicks === 'string';
}

function isPidFileEntry(value: unknown): value is PidFileEntry {
  if (!isProcessIdentity(value)) return false;
  const { leaderStopSignal, app } = value as Partial<PidFileEntry>;
  if (app !== undefined && typeof app !== 'string') return false;
  if (leaderStopSignal !== undefined && !Object.hasOwn(constants.signals, leaderStopSignal)) return false;
  return 'id' in value && typeof value.id === 'string' && 'name' in value && typeof value.name === 'string';
}
