import type { Command } from 'commander';
import { Client, chooseApp, clientOptions } from '../client.ts';
import { print } from '../table.ts';

interface DomainView {
  readonly hostname: string;
}
interface Options {
  readonly app?: string;
  readonly json?: boolean;
}

/** `tailrace domains`, `domains:add www.example.com`, `domains:remove …` */
export function domainCommands(program: Command): void {
  clientOptions(program.command('domains').description("list an app's host names")).action(
    async (options: Options) => {
      const { client, path } = await about(options);
      const domains = await client.ask<DomainView[]>('GET', path);
      print(options.json, domains, () => domains.map(({ hostname }) => hostname).join('\n'));
    },
  );
  clientOptions(
    program.command('domains:add <hostname>').description('let the HTTP router answer for another host name'),
  ).action(async (hostname: string, options: Options) => {
    const { app, client, path } = await about(options);
    const domain = await client.ask<DomainView>('POST', path, { hostname });
    print(options.json, domain, () => `Adding ${domain.hostname} to ${app}... done`);
  });
  clientOptions(program.command('domains:remove <hostname>').description('take a host name away')).action(
    async (hostname: string, options: Options) => {
      const { app, client, path } = await about(options);
      const domain = await client.ask<DomainView>('DELETE', `${path}/${encodeURIComponent(hostname)}`);
      print(options.json, domain, () => `Removing ${domain.hostname} from ${app}... done`);
    },
  );
}

async function about(options: Options) {
  const client = new Client();
  const app = await chooseApp(client, options.app);
  return { app, client, path: `/apps/${encodeURIComponent(app)}/domains` };
}
