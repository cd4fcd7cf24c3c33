import type { Command } from 'commander';
import { invitationIsOpen, PERSON_ROLES } from '../../apps/access/grants.ts';
import { TailraceError } from '../../common/errors.ts';
import { ApiClient, remoteOption } from '../api-client.ts';
import { formatElapsed, formatTable, printResult, printText } from '../format.ts';

interface PersonView {
  readonly id: string;
  readonly email: string;
  readonly state: 'active' | 'invited';
  readonly role: string | null;
  readonly apps: readonly { readonly app: { readonly name: string }; readonly role: string }[];
  readonly invitation_url: string | null;
  readonly expires_at: string | null;
}
interface AppOption {
  readonly app?: string;
}

const ROLES = PERSON_ROLES.join(', ');
const APP = ['-a, --app <name>', 'in this app alone (default: in all, and in what is of none)'] as const;

/** `tailrace access`, `access:add`, `access:update`, `access:remove`: who may do what on this server. */
export function accessCommands(program: Command): void {
  program
    .command('access')
    .description('list who may do what')
    .option('-a, --app <name>', 'in this app')
    .addOption(remoteOption())
    .option('-j, --json', 'print JSON')
    .action(async ({ app, json }: AppOption & { json?: boolean }) => {
      const client = new ApiClient();
      // An app that isn't there is said to be none, rather than to have those who may do something in all.
      if (app !== undefined) await client.request('GET', `/apps/${encodeURIComponent(app)}`);
      const people = (await client.request<PersonView[]>('GET', '/people')).filter(
        ({ role, apps }) => app === undefined || role !== null || apps.some((one) => one.app.name === app),
      );
      printResult(json, people, () =>
        people.length === 0
          ? 'Nobody yet: whoever has a key does everything. `access:add EMAIL` invites somebody.'
          : formatTable(people.map((person) => [person.email, rolesOf(person), stateOf(person)])),
      );
    });
  program
    .command('access:add <email>')
    .description("give somebody a role; prints a link for whoever isn't known yet")
    .option('-r, --role <role>', `${ROLES} (default: member)`)
    .option(...APP)
    .addOption(remoteOption('--remote <name>'))
    .option('-j, --json', 'print JSON')
    .action(async (email: string, { role, app, json }: AppOption & { role?: string; json?: boolean }) => {
      const person = await new ApiClient().request<PersonView>('POST', '/people', { email, role, app });
      printResult(json, person, () => {
        if (person.invitation_url === null) return `${person.email} is ${rolesOf(person)}`;
        return `Send ${email} this link; it works once, for a week:\n${person.invitation_url}`;
      });
    });
  program
    .command('access:update <email>')
    .description("change somebody's role")
    .requiredOption('-r, --role <role>', ROLES)
    .option(...APP)
    .addOption(remoteOption('--remote <name>'))
    .action(async (email: string, { role, app }: AppOption & { role: string }) => {
      const client = new ApiClient();
      const people = await client.request<PersonView[]>('GET', '/people');
      const known = people.filter((one) => one.email.toLowerCase() === email.toLowerCase());
      if (known.length === 0)
        throw new TailraceError(
          'not_found',
          `Nobody here is ${email}: \`tailrace access:add ${email}\` invites them.`,
        );
      if (known.every(({ state }) => state === 'invited')) throw invitationIsOpen(email);
      const person = await client.request<PersonView>('POST', '/people', { email, role, app });
      printText(`${person.email} is ${rolesOf(person)}`);
    });
  program
    .command('access:remove <email>')
    .description('take all rights from somebody (their keys and browsers end), or an invitation back')
    .option('-a, --app <name>', 'the rights in this app alone')
    .addOption(remoteOption())
    .action(async (email: string, { app }: AppOption) => {
      const who = encodeURIComponent(email);
      const path =
        app === undefined ? `/people/${who}` : `/apps/${encodeURIComponent(app)}/collaborators/${who}`;
      await new ApiClient().request('DELETE', path);
      printText(`Removing ${email}${app === undefined ? '' : ` from ${app}`}... done`);
    });
}

function rolesOf({ role, apps }: PersonView): string {
  const words = apps.map((one) => `${one.role} of ${one.app.name}`);
  return [...(role === null ? [] : [role]), ...words].join(', ') || 'without a role';
}

function stateOf({ state, expires_at: expiresAt }: PersonView): string {
  if (state === 'active' || expiresAt === null) return '';
  return `invited, ${formatElapsed(Date.parse(expiresAt) - Date.now())} left`;
}
