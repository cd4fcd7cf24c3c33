import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
import { formatTable, printResult } from '../format.ts';

interface RuleView {
  readonly id: string;
  readonly source: string;
  readonly port?: number;
  readonly network?: string;
  readonly tag?: string;
  readonly hostname?: string;
  readonly certificate?: string;
}

interface CommonOptions {
  readonly app?: string;
  readonly json?: boolean;
}

interface AddOptions extends CommonOptions {
  readonly source: string;
  readonly port?: string;
  readonly network?: string;
  readonly tag?: string;
  readonly hostname?: string;
  readonly certificate?: string;
}

/** `tailrace sources`, `sources:add --source NAME --port|--network|--tag|--hostname|--certificate …`, `sources:remove RULE` */
export function sourceRuleCommands(program: Command): void {
  addClientOptions(
    program.command('sources').description('list the rules that say who speaks without a token'),
  ).action(async (options: CommonOptions) => {
    const { app, client, path } = await resolveEndpoint(options, '/source-rules');
    const rules = await client.request<RuleView[]>('GET', path);
    printResult(options.json, rules, () =>
      rules.length === 0
        ? `${app} has no rules: its senders show tokens. Add one with: tailrace sources:add --source NAME --tag TAG`
        : formatTable(rules.map((rule) => [rule.source, formatConditions(rule), rule.id])),
    );
  });
  addClientOptions(
    program
      .command('sources:add')
      .description('take lines without a token; all conditions that are given have to be met')
      .requiredOption('-s, --source <name>', 'the name that the lines will carry: postgres, nginx, …')
      .option('--port <port>', 'sent to this port: the server listens on it, TCP and UDP')
      .option('--network <cidr>', 'sent from this network or address: 10.0.0.0/8, fd00::/8')
      .option('--tag <tag>', 'the tag (APP-NAME) of the lines')
      .option('--hostname <name>', 'the hostname in the lines')
      .option('--certificate <subject>', 'of the client, over TLS: CN=web-1, or its SHA-256 fingerprint'),
  ).action(async (options: AddOptions) => {
    const { app, client, path } = await resolveEndpoint(options, '/source-rules');
    const { source, network, tag, hostname, certificate } = options;
    const port = options.port === undefined ? undefined : parseRulePort(options.port);
    const rule = await client.request<RuleView>('POST', path, {
      source,
      port,
      network,
      tag,
      hostname,
      certificate,
    });
    printResult(
      options.json,
      rule,
      () => `Lines with ${formatConditions(rule)} go to ${app} as ${rule.source} (${rule.id})`,
    );
  });
  addClientOptions(program.command('sources:remove <rule>').description('remove a rule, by its id')).action(
    async (id: string, options: CommonOptions) => {
      const { app, client, path } = await resolveEndpoint(options, '/source-rules');
      const gone = await client.request<RuleView>('DELETE', `${path}/${encodeURIComponent(id)}`);
      printResult(
        options.json,
        gone,
        () => `Removed the rule for ${gone.source} with ${formatConditions(gone)} from ${app}`,
      );
    },
  );
}

function parseRulePort(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new TailraceError('invalid_params', `The port "${text}" must be a number from 1 to 65535.`);
}

function formatConditions({ port, network, tag, hostname, certificate }: RuleView): string {
  return Object.entries({ port, network, tag, hostname, certificate })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
