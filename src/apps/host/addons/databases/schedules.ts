/** Daily backups of this server's databases: kept in a file, begun when they are due, the oldest of them deleted. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { reasonOf, TailraceError } from '../../../../common/errors.ts';
import { replaceFile } from '../../../../common/files/replace-file.ts';
import type { Log } from '../../../../common/log.ts';
import type { AddonRecord } from '../model/addon-record.ts';
import { type BackupSchedule, isDue, parseSchedule } from './schedule.ts';
import { isUsableBackup } from './transfer-record.ts';
import type { DatabaseTransfers } from './transfers.ts';

const LOOK_INTERVAL_MS = 15_000;
/** As many days as Heroku keeps them on its plans. */
const SCHEDULED_MAX = 7;

interface BackupSchedulesOptions {
  readonly file: string;
  readonly transfers: DatabaseTransfers;
  readonly findAddon: (id: string) => Promise<AddonRecord | undefined>;
  readonly log: Log;
}

export class BackupSchedules {
  private readonly options: BackupSchedulesOptions;
  private schedules: readonly BackupSchedule[] = [];
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private saving: Promise<void> = Promise.resolve();

  constructor(options: BackupSchedulesOptions) {
    this.options = options;
  }

  /** Reads the schedules, and looks every 15 seconds for what is due. A file that can't be read is a warning. */
  async open(): Promise<void> {
    const text = await readFile(this.options.file, 'utf8').catch(() => '[]');
    try {
      this.schedules = JSON.parse(text) as BackupSchedule[];
    } catch (error) {
      this.options.log.warn({ err: error }, "the schedules of backups can't be read: make them again");
    }
    this.timer = setInterval(() => {
      this.looking = this.looking.then(() => this.look());
    }, LOOK_INTERVAL_MS);
    this.timer.unref();
  }

  /** Waits for a look that is under way. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
  }

  /** Those of an add-on. */
  list(addon: AddonRecord): BackupSchedule[] {
    return this.schedules.filter((one) => one.addon === addon.id);
  }

  /** One for each add-on: it takes the place of the one before. @throws TailraceError `invalid_params` */
  async add(
    addon: AddonRecord,
    wanted: { readonly hour: string | number; readonly timezone: string; readonly name: string },
  ): Promise<BackupSchedule> {
    const schedule = {
      ...parseSchedule(wanted.hour, wanted.timezone),
      uuid: randomUUID(),
      addon: addon.id,
      name: wanted.name,
      since: new Date().toISOString(),
    };
    await this.save((all) => [...all.filter((one) => one.addon !== addon.id), schedule]);
    return schedule;
  }

  /** @throws TailraceError `not_found` */
  async remove(addon: AddonRecord, uuid: string): Promise<BackupSchedule> {
    const found = this.list(addon).find((one) => one.uuid === uuid);
    if (!found)
      throw new TailraceError('not_found', `${addon.name} has no such schedule: see pg:backups:schedules.`);
    await this.save((all) => all.filter((one) => one.uuid !== uuid));
    return found;
  }

  private async look(): Promise<void> {
    const now = new Date();
    for (const schedule of this.schedules.filter((one) => isDue(one, now)))
      await this.run(schedule, now).catch((error: unknown) =>
        this.options.log.warn({ addon: schedule.addon, err: error }, `a daily backup could not be begun`),
      );
  }

  private async run(schedule: BackupSchedule, now: Date): Promise<void> {
    const { transfers, findAddon } = this.options;
    const addon = await findAddon(schedule.addon);
    // First: one that can't be begun isn't tried four times a minute.
    await this.save((all) =>
      all.flatMap((one) => {
        if (one.uuid !== schedule.uuid) return [one];
        return addon ? [{ ...one, since: now.toISOString() }] : [];
      }),
    );
    if (!addon) return;
    await transfers.capture(addon, true).catch((error: unknown) => {
      transfers.tell(addon.app, `The daily backup of ${addon.name} could not be begun: ${reasonOf(error)}`);
      throw error;
    });
    const scheduled = (await transfers.list(addon.app)).filter(
      (one) => one.isScheduled && one.addon === addon.id && isUsableBackup(one),
    );
    // The one that was just begun isn't among them.
    for (const { uuid } of scheduled.slice(0, Math.max(0, scheduled.length - SCHEDULED_MAX + 1)))
      await transfers.remove(addon.app, uuid);
  }

  /** One change after the other: each begins with what the one before has left, and is on the disk when this resolves. */
  private save(change: (schedules: readonly BackupSchedule[]) => readonly BackupSchedule[]): Promise<void> {
    const saved = this.saving.then(async () => {
      const { file } = this.options;
      const schedules = change(this.schedules);
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      await replaceFile(file, JSON.stringify(schedules));
      this.schedules = schedules;
    });
    this.saving = saved.catch(() => {});
    return saved;
  }
}
