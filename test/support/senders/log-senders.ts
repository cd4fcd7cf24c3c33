/** Real senders of log lines, started with a configuration of `test/fixtures/senders`. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { missing, Program } from '../program.ts';
import { failWhen } from '../until.ts';

const FIXTURES = join(import.meta.dirname, '..', '..', 'fixtures', 'senders');
const SENDERS_PAGE = join(import.meta.dirname, '..', '..', '..', 'docs', 'senders.md');
/** Debian's rsyslog and syslog-ng can't both be installed: scripts/test.mjs unpacks the latter here. */
const SYSLOG_NG = join(import.meta.dirname, '..', '..', '..', 'node_modules', '.cache', 'syslog-ng');

/** A folder for one test's sender. */
export function senderFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-sender-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** `{{docs:nginx}}` is the block below that heading of docs/senders.md, with this server's name, port and token in it. */
function withDocumented(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{\{docs:([^}]+)\}\}/g, (_, heading: string) => {
    const page = readFileSync(SENDERS_PAGE, 'utf8');
    const [, block] = new RegExp(`^## ${heading}\\n[^#]*?^\`\`\`\\w*\\n(.*?)^\`\`\``, 'ms').exec(page) ?? [];
    if (block === undefined) throw new Error(`docs/senders.md has no block below ${heading}`);
    const { host = '127.0.0.1', port, token = '', authority = '' } = values;
    return block
      .trimEnd()
      .replaceAll('/etc/ssl/certs/ca-certificates.crt', String(authority))
      .replaceAll('logs.example.com', String(host))
      .replace(/\b(6001|6514)\b/g, String(port))
      .replaceAll('TOKEN', String(token));
  });
}

/** Writes a configuration with its `{{names}}` filled in; returns its path. */
export function writeSenderConfig(
  folder: string,
  fixture: string,
  values: Record<string, string | number>,
): string {
  const text = withDocumented(readFileSync(join(FIXTURES, fixture), 'utf8'), values).replace(
    /\{\{(\w+)\}\}/g,
    (_, name: string) => {
      const value = name === 'folder' ? folder : values[name];
      if (value === undefined) throw new Error(`${fixture} needs a value for ${name}`);
      return String(value);
    },
  );
  const file = join(folder, fixture);
  writeFileSync(file, text);
  return file;
}

/** Starts a program for one test. When it exits before, a test that waits fails at once, with the program's output. */
export function startSender(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Program {
  const program = new Program(command, args, { env });
  let stopping = false;
  let failure: Error | undefined;
  const unregister = failWhen(() => {
    if (failure || stopping || !program.hasExited) return failure;
    const { stdout, stderr } = program;
    return new Error(`${command} has ended with ${program.exitStatus}: ${stdout}${stderr}`);
  });
  program.exited.catch((error: Error) => {
    failure = error;
  });
  onTestFinished(async () => {
    stopping = true;
    unregister();
    await program.stop('SIGKILL').catch(() => {});
  });
  return program;
}

export function startRsyslog(folder: string, config: string): Program {
  return startSender('/usr/sbin/rsyslogd', ['-n', '-f', config, '-i', join(folder, 'rsyslog.pid')]);
}

/** Is syslog-ng unpacked or installed? */
export function missingSyslogNg(): boolean {
  return existsSync(join(SYSLOG_NG, 'usr', 'sbin', 'syslog-ng')) ? false : missing('syslog-ng');
}

export function startSyslogNg(folder: string, config: string): Program {
  const unpacked = join(SYSLOG_NG, 'usr', 'sbin', 'syslog-ng');
  const isUnpacked = existsSync(unpacked);
  const libraries = join(SYSLOG_NG, 'usr', 'lib', 'syslog-ng');
  const triplet = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
  const own = [join('usr', 'lib', triplet), join('lib', triplet)].map((path) => join(SYSLOG_NG, path));
  return startSender(
    isUnpacked ? unpacked : 'syslog-ng',
    [
      '-F',
      '--no-caps',
      '-f',
      config,
      '-p',
      join(folder, 'ng.pid'),
      '-R',
      join(folder, 'ng.persist'),
      '-c',
      join(folder, 'ng.ctl'),
      ...(isUnpacked ? [`--module-path=${join(libraries, '3.38')}`] : []),
    ],
    isUnpacked ? { LD_LIBRARY_PATH: [libraries, ...own].join(':') } : {},
  );
}

/** Debian installs PostgreSQL's programs outside of the PATH; undefined when they are missing, or can't be run here. */
export function postgresFolder(): string | undefined {
  try {
    const folder = execFileSync('sh', ['-c', 'ls -d /usr/lib/postgresql/*/bin | tail -n 1'], {
      encoding: 'utf8',
    }).trim();
    return process.getuid?.() === 0 && existsSync(join(folder, 'initdb')) ? folder : undefined;
  } catch {
    return undefined;
  }
}
