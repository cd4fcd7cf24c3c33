import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFileNow } from '../common/files/replace-file.ts';
import { ownStartTicks } from '../common/processes/process-identity.ts';

/** A note in the data folder, where clients on this machine find the server. */
export class ServerFile {
  private readonly file: string;
  private readonly urls: { readonly url: string; readonly publicUrl: string | undefined };
  private note = '';

  constructor(folder: string, urls: ServerFile['urls']) {
    this.file = join(folder, 'server.json');
    this.urls = urls;
  }

  /**
   * @param state `takesRestart`: does it restart at SIGUSR2? `isStarting`: it will soon. `restartFailed`: another value each time that it
   * couldn't
   */
  write(state: {
    readonly takesRestart: boolean;
    readonly isStarting?: boolean;
    readonly restartFailed?: string;
  }): void {
    this.note = `${JSON.stringify({ ...this.urls, pid: process.pid, startTicks: ownStartTicks(), ...state })}\n`;
    // Of use only while this process runs.
    replaceFileNow(this.file, this.note, { sync: false });
  }

  /** Removes the note, if it is still this server's. */
  remove(): void {
    // Another folder may be in this one's place by now, with the note of another server.
    if (existsSync(this.file) && readFileSync(this.file, 'utf8') === this.note)
      rmSync(this.file, { force: true });
  }
}
