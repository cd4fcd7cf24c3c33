/** Add-on services that are programs of this package: `src/apps/addon-services`. */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../../../common/package-info.ts';
import { shellQuote } from '../../../../common/text/shell-quote.ts';
import { APP_PRIORITY } from '../../../processes/output/line-sink.ts';
import { askService } from './ask-service.ts';
import type { AddonLines, LocalInstance, ProcessService } from './local-service.ts';

/** `user` (RFC 5424 section 6.2.1). */
const FACILITY = 8;
const SEVERITY_PREFIX = /^<([0-7])>/;

/** What such a program finds in `service.json`, in its folder, beside what is its own. */
export interface OwnProgramSettings {
  readonly name: string;
  readonly port: number;
  /** Of its page, which has to listen before `port` does; the same as `port` unless the service has a port for it. */
  readonly pagePort: number;
  /** The key of its page, which only this server knows besides. What an app's client gets is derived from it: {@link derivedSecret}. */
  readonly password: string;
}

/**
 * How one of them is run: with its settings in a file, and its output read as sd-daemon(3) has it: `<3>` before a line is its severity.
 *
 * @param program of `dist/bundle`: `addon-mail`
 * @param more settings of its own
 */
export function ownProgram(
  program: string,
  more: (instance: LocalInstance) => object = () => ({}),
): Pick<ProcessService, 'kind' | 'isOwnProgram' | 'files' | 'command' | 'readLines' | 'page'> {
  return {
    kind: 'process',
    isOwnProgram: true,
    files: (instance) => {
      const { name, port, pagePort = port, password } = instance;
      const settings: OwnProgramSettings = { name, port, pagePort, password };
      return { 'service.json': JSON.stringify({ ...settings, ...more(instance) }, undefined, 2) };
    },
    command: () =>
      `exec ${shellQuote(process.execPath)} ${shellQuote(join(PACKAGE_ROOT, 'dist', 'bundle', `${program}.js`))}`,
    readLines: severityReader,
    page: ({ port, pagePort = port, password }) => ({ port: pagePort, key: password }),
  };
}

/**
 * What its page answers with, as JSON.
 * @param path `api/status`
 * @throws TailraceError `unavailable`
 */
export function askOwnProgram<T>(
  { name, port, pagePort = port, password }: LocalInstance,
  path: string,
): Promise<T> {
  return askService(name, async (late) => {
    const response = await fetch(`http://127.0.0.1:${pagePort}/${path}`, {
      headers: { authorization: `Bearer ${password}` },
      signal: late,
    });
    if (!response.ok) throw new Error(`it answers ${response.status}`);
    return (await response.json()) as T;
  });
}

/** A secret of an add-on for one purpose, from which its others can't be guessed: 32 hexadecimal digits. */
export function derivedSecret(password: string, purpose: string): string {
  return createHmac('sha256', password).update(purpose).digest('hex').slice(0, 32);
}

/** Takes the severity off the beginning of each line (sd-daemon(3)). */
function severityReader(lines: AddonLines): { line(text: string): void; end(): void } {
  return {
    line: (text) => {
      const severity = SEVERITY_PREFIX.exec(text)?.[1];
      if (severity === undefined) lines.write(text, APP_PRIORITY);
      else lines.write(text.slice(3), FACILITY + Number(severity));
    },
    end: () => undefined,
  };
}
