import { type Command, Option } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { addClientOptions, noWrapOption, resolveEndpoint } from '../api-client.ts';
import { printResult } from '../format.ts';

interface DomainView {
  readonly hostname: string;
  readonly kind: string;
}
interface Options {
  readonly app?: string;
  readonly json?: boolean;
}

/** `tailrace domains`, `domains:add www.example.com`, `domains:remove …`, `domains:clear` */
export function domainCommands(program: Command): void {
  addClientOptions(program.command('domains').description("list an app's host names"))
    .addOption(noWrapOption())
    .action(async (options: Options) => {
      const { client, path } = await resolveEndpoint(options, '/domains');
      const domains = await client.request<DomainView[]>('GET', path);
      printResult(options.json, domains, () => domains.map(({ hostname }) => hostname).join('\n'));
    });
  addClientOptions(
    program.command('domains:add <hostname>').description('let the HTTP router answer for another host name'),
  )
    .addOption(new Option('--wait', 'it answers at once').hideHelp())
    .action(async (hostname: string, options: Options) => {
      const { app, client, path } = await resolveEndpoint(options, '/domains');
      const domain = await client.request<DomainView>('POST', path, { hostname });
      printResult(options.json, domain, () => `Adding ${domain.hostname} to ${app}... done`);
    });
  addClientOptions(program.command('domains:remove <hostname>').description('take a host name away')).action(
    async (hostname: string, options: Options) => {
      const { app, client, path } = await resolveEndpoint(options, '/domains');
      const domain = await client.request<DomainView>('DELETE', `${path}/${encodeURIComponent(hostname)}`);
      printResult(options.json, domain, () => `Removing ${domain.hostname} from ${app}... done`);
    },
  );
  addClientOptions(
    program.command('domains:clear').description('take all host names away that were added'),
  ).action(async (options: Options) => {
    const { app, client, path } = await resolveEndpoint(options, '/domains');
    const own = (await client.request<DomainView[]>('GET', path)).filter(({ kind }) => kind === 'custom');
    // One that somebody else has taken away meanwhile is gone, as was wanted.
    for (const { hostname } of own)
      await client.request('DELETE', `${path}/${encodeURIComponent(hostname)}`).catch((error: unknown) => {
        if (!(error instanceof TailraceError) || error.code !== 'not_found') throw error;
      });
    const names = own.map(({ hostname }) => hostname);
    printResult(options.json, own, () =>
      names.length === 0
        ? `${app} has no host names that were added.`
        : `Removing ${names.join(', ')} from ${app}... done`,
    );
  });
}
