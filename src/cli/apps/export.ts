import { chmodSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { reasonOf, TailraceError } from '../../common/errors.ts';
import { makeDirectory } from '../../common/files/make-directory.ts';
import { trimTrailing } from '../../common/limits/trim-trailing.ts';
import { ownValue } from '../../common/own-value.ts';
import { APP_OPTION, remoteOption, resolveEndpoint } from '../api-client.ts';
import type { ExportResult, ExportSpec } from '../export/export-spec.ts';
import { printText } from '../format.ts';
import { loadEnvFiles } from '../server/start-files.ts';

const EXPORT_FORMATS: Readonly<Record<string, () => Promise<(plan: ExportSpec) => ExportResult>>> = {
  systemd: async () => (await import('../export/systemd.ts')).exportSystemd,
  compose: async () => (await import('../export/compose.ts')).exportCompose,
  kubernetes: async () => (await import('../export/kubernetes.ts')).exportKubernetes,
};

interface ExportOptions {
  readonly app?: string;
  readonly url?: string;
  readonly syslog?: string;
  readonly port: string;
  readonly dir?: string;
  readonly user?: string;
  readonly image?: string;
  readonly shipperImage: string;
  readonly program?: string;
}

/** `tailrace export systemd`, `compose`, `kubernetes` */
export function exportCommand(program: Command): void {
  program
    .command('export <engine> [folder]')
    .description("write an app's formation for another engine: systemd, compose or kubernetes")
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .option('--url <url>', "this server, as the app's new machine reaches it")
    .option('--syslog <host:port>', 'its syslog over TCP, for compose (default: the same host, port 6001)')
    .option('-p, --port <port>', 'first port of the web dynos', '5000')
    .option('-d, --dir <folder>', "systemd: where the app's files will be (default: /srv/APP)")
    .option('-u, --user <name>', 'systemd: who will run it (default: the name of the app)')
    .option('--image <name>', 'containers: the image of the app (default: APP:latest)')
    .option('--shipper-image <name>', 'kubernetes: an image with tailrace in it', 'tailrace:latest')
    .option('--program <file>', 'tailrace on the new machine, or in the shipper image')
    .action(async (format: string, folder: string | undefined, options: ExportOptions) => {
      const load = ownValue(EXPORT_FORMATS, format);
      if (!load)
        throw new TailraceError(
          'invalid_params',
          `There is no engine "${format}": choose ${Object.keys(EXPORT_FORMATS).join(', ')}.`,
        );
      const spec = await makeExportSpec(format, options);
      const left = variablesLeftOut(spec);
      writeExport(resolve(folder ?? `${spec.app}-${format}`), (await load())(spec));
      if (left.length > 0)
        printText(
          ` ›   Not exported: ${left.join(', ')} of the file .env here, which are no config vars of ${spec.app}. Set them with \`tailrace config:set\`, and export again.`,
          process.stderr,
        );
    });
}

async function makeExportSpec(format: string, options: ExportOptions): Promise<ExportSpec> {
  const { app, client, path } = await resolveEndpoint(options, '');
  const [processes, config, tokens] = await Promise.all([
    client.request<ExportSpec['processes']>('GET', `${path}/formation`),
    client.request<Record<string, string>>('GET', `${path}/config-vars`),
    client.request<{ source: string; token: string }[]>('GET', `${path}/tokens`),
  ]);
  if (!processes.some(({ type, quantity }) => type !== 'release' && quantity > 0))
    throw new TailraceError('not_found', `${app} runs no dynos: deploy it and scale it first.`);
  const token = tokens.find(({ source }) => source === 'app')?.token;
  if (!token)
    throw new TailraceError('not_found', `${app} has no token: make one with \`tailrace tokens:add\`.`);
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_000)
    throw new TailraceError('invalid_params', `--port ${options.port} must be a port from 1 to 65000.`);
  const url = trimTrailing(options.url ?? client.address.publicUrl ?? client.address.url, '/');
  if (!URL.canParse(url))
    throw new TailraceError(
      'invalid_params',
      `--url ${url} must be an address such as https://logs.example.com`,
    );
  return {
    app,
    processes,
    config,
    token,
    url,
    syslog: options.syslog ?? `${new URL(url).hostname}:6001`,
    basePort: port,
    folder: options.dir ?? `/srv/${app}`,
    user: options.user ?? app,
    image: options.image ?? `${app}:latest`,
    shipperImage: options.shipperImage,
    program: options.program ?? (format === 'kubernetes' ? '/usr/local/bin/tailrace' : '/usr/bin/tailrace'),
  };
}

/**
 * Names in the `.env` of this folder that aren't config vars: `tailrace start` gives them to dynos, and nothing else does.
 * @throws EnvFileError when it can't be read
 */
function variablesLeftOut({ config }: ExportSpec): string[] {
  const names = Object.keys(loadEnvFiles('.', undefined));
  return names.filter((name) => !Object.hasOwn(config, name));
}

/** @throws TailraceError `data_folder` when the folder can't be written */
function writeExport(folder: string, { files, nextSteps }: ExportResult): void {
  try {
    makeDirectory(folder);
    for (const { name, text, isSecret } of files) {
      const file = join(folder, name);
      writeFileSync(file, text, { mode: isSecret ? 0o600 : 0o644 });
      // An older one keeps its own mode otherwise.
      chmodSync(file, isSecret ? 0o600 : 0o644);
    }
  } catch (error) {
    throw new TailraceError(
      'data_folder',
      `The files can't be written to ${folder} (${reasonOf(error)}): name another folder.`,
      { cause: error },
    );
  }
  for (const { name, isSecret } of files) {
    const file = join(folder, name);
    process.stdout.write(`${file}${isSecret ? ' (has secrets in it)' : ''}\n`);
  }
  process.stdout.write(`\nNext:\n${nextSteps.map((line) => `  ${line}\n`).join('')}`);
}
