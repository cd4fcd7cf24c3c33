import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { defaultDataFolder, readSettings } from '../../common/config/settings.ts';
import { TailraceError } from '../../common/errors.ts';
import { Client, dataFolders } from '../client.ts';
import type { SeenServer } from '../doctor/examination.ts';
import type { Finding, Level } from '../doctor/finding.ts';
import { wantsColour } from '../paint.ts';
import { print } from '../table.ts';

/** A server that is well answers within this time. */
const ANSWER_MS = 10_000;

/** Level → mark, and its colour. */
const MARKS: Readonly<Record<Level, readonly [mark: string, colour: number]>> = {
  ok: ['✓', 32],
  note: ['·', 90],
  concern: ['!', 33],
  trouble: ['✗', 31],
};

/** `tailrace doctor`: looks at everything that may be wrong, and says what to do. */
export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('check everything that may be wrong here, and say what to do')
    .option('--json', 'print JSON')
    .option('--no-color', 'no colours')
    .action(async (options: { json?: boolean; color?: boolean }) => {
      const { examine } = await import('../doctor/examination.ts');
      const refused: Finding[] = [];
      const findings = await examine({
        settings: attempt('settings', refused, () => readSettings(process.env, settingDefaults())),
        server: attempt('server', refused, findAnyServer),
      });
      findings.unshift(...refused);
      const ok = !findings.some(({ level }) => level === 'trouble');
      process.exitCode = ok ? 0 : 1;
      const colour = wantsColour(process.stdout, options.color);
      print(options.json, { ok, findings }, () => describe(findings, colour));
    });
}

/** As `serve` has it, unless a data folder of `start` is here. */
function settingDefaults(): { data: string; allowPrivateDrains: boolean } {
  const data = dataFolders().find((folder) => existsSync(folder)) ?? defaultDataFolder(process.env);
  return { data, allowPrivateDrains: false };
}

function findAnyServer(): SeenServer | undefined {
  try {
    const client = new Client(undefined, ANSWER_MS);
    return { ...client.address, ask: (path) => client.ask('GET', path) };
  } catch (error) {
    // None runs here, and none is named: that is no error.
    if (error instanceof TailraceError && error.code === 'unavailable') return undefined;
    throw error;
  }
}

function attempt<T>(check: string, refused: Finding[], what: () => T): T | undefined {
  try {
    return what();
  } catch (error) {
    refused.push({ check, level: 'trouble', text: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

function describe(findings: readonly Finding[], colour: boolean): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.map(({ check, level, text }) => {
    const [mark, code] = MARKS[level];
    return `${colour ? `\x1b[${code}m${mark}\x1b[0m` : mark} ${check.padEnd(width)}  ${text}`;
  });
  return `${lines.join('\n')}\n\n${verdict(findings)}`;
}

function verdict(findings: readonly Finding[]): string {
  const count = (level: Level): number => findings.filter((one) => one.level === level).length;
  const [wrong, doubtful] = [count('trouble'), count('concern')];
  if (wrong + doubtful === 0) return 'Everything is well.';
  const care = doubtful > 0 ? `${doubtful} ${doubtful === 1 ? 'needs' : 'need'} care (!)` : '';
  if (wrong === 0)
    return `It works; ${doubtful === 1 ? '1 thing needs' : `${doubtful} things need`} care (!).`;
  return `${wrong === 1 ? '1 thing is' : `${wrong} things are`} wrong (✗)${care ? `, ${care}` : ''}.`;
}
