import type { FastifyInstance } from 'fastify';
import type { DynoRunner } from '../../apps/host/contract.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { applyConfigChange } from '../../apps/records/config-change.ts';
import { parseDynoSize } from '../../apps/records/dyno-sizes.ts';
import { TailraceError } from '../../common/errors.ts';
import { FILTERED_ROUTE, needsScope } from '../access/authorize.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { dynoView } from './dynos.ts';

interface NewOneOffRequest {
  readonly command: string;
  readonly attach?: boolean | null;
  readonly force_no_tty?: boolean | null;
  readonly env?: Readonly<Record<string, string | number>> | null;
  readonly type?: string | null;
  readonly size?: string | null;
}
interface TerminalSizeRequest {
  readonly columns: number;
  readonly lines: number;
}

const PROCESS_TYPE_NAME = /^[a-z][a-z0-9_-]{0,29}$/;
const TERMINAL_SIZE_MAX = 1_000;

/** What these routes work with. */
export interface OneOffDynoRouteDependencies {
  readonly appRegistry: AppRegistry;
  readonly dynoRunner: DynoRunner;
}

/** `POST /apps/:app/dynos`: one-off dynos, attached or not; and the size of their windows. */
export function oneOffDynoRoutes(api: FastifyInstance, dependencies: OneOffDynoRouteDependencies): void {
  const { appRegistry, dynoRunner } = dependencies;
  const nullable = (type: string) => ({ type: [type, 'null'] });
  const requestBody = bodySchema(
    {
      command: { type: 'string', minLength: 1, maxLength: 32_768 },
      attach: nullable('boolean'),
      force_no_tty: nullable('boolean'),
      type: nullable('string'),
      size: nullable('string'),
      env: { type: ['object', 'null'], additionalProperties: { type: ['string', 'number'] } },
    },
    ['command'],
  );
  api.post<{ Params: { app: string }; Body: NewOneOffRequest }>(
    '/apps/:app/dynos',
    {
      ...routeSchema('Run a command in a dyno of its own', 'Dyno', { status: 201, body: requestBody }),
      ...needsScope('run'),
    },
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const { command, attach, force_no_tty: noTerminal, env, type, size } = request.body;
      if (command.includes('\0'))
        throw new TailraceError('invalid_params', 'There is a NUL byte in the command.');
      if (type && !PROCESS_TYPE_NAME.test(type))
        throw new TailraceError('invalid_params', `"${type}" can't be a process type.`);
      // The rules for config vars: what a shell can export, and how much.
      const stringEnv = applyConfigChange(
        {},
        Object.fromEntries(Object.entries(env ?? {}).map(([name, value]) => [name, String(value)])),
      );
      const window = {
        columns: parseDimension(stringEnv.COLUMNS, 80),
        rows: parseDimension(stringEnv.LINES, 24),
      };
      const dyno = await dynoRunner.run(app, {
        command,
        type: type || 'run',
        attach: attach ?? false,
        terminalSize: noTerminal ? undefined : window,
        env: stringEnv,
        size: size ? parseDynoSize(size) : undefined,
      });
      reply.code(201);
      const attachUrl = dyno.attachPath && `rendezvous://${request.hostname}${dyno.attachPath}`;
      return dynoView(dyno, app, {}, attachUrl ?? null);
    },
  );
  // `heroku run:inside`; its dynos of a newer generation have a shell to enter.
  api.post<{ Params: { app: string; dyno: string } }>(
    '/apps/:app/dynos/:dyno',
    routeSchema('Refused: no command runs inside a dyno that is there', 'Dyno', {
      status: 201,
      body: bodySchema({}),
    }),
    async (request) => {
      const { name } = await appRegistry.getApp(request.params.app);
      throw new TailraceError(
        'invalid_params',
        `No command runs inside a dyno that is there: \`tailrace run -a ${name} bash\` starts another with the same files and config vars.`,
      );
    },
  );
  const window = bodySchema({ columns: { type: 'integer' }, lines: { type: 'integer' } }, [
    'columns',
    'lines',
  ]);
  api.patch<{ Params: { app: string; dyno: string }; Body: TerminalSizeRequest }>(
    '/apps/:app/dynos/:dyno',
    {
      ...routeSchema("Change the size of an attached dyno's window", 'Empty', { body: window }),
      ...needsScope('run'),
    },
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const { columns, lines } = request.body;
      if (
        !dynoRunner.resize(
          app.id,
          request.params.dyno,
          parseDimension(columns, 80),
          parseDimension(lines, 24),
        )
      )
        throw new TailraceError('not_found', "Couldn't find that dyno.");
      return {};
    },
  );
  api.get(
    '/certificate-authority',
    {
      ...routeSchema(
        "The certificate of this server's own authority, PEM, for attached dynos",
        'CertificateAuthority',
      ),
      ...FILTERED_ROUTE,
    },
    async () => ({ certificate: await dynoRunner.caCertificate() }),
  );
}

function parseDimension(value: string | number | undefined, fallback: number): number {
  const number = Number(value);
  return Number.isInteger(number) && number >= 1 && number <= TERMINAL_SIZE_MAX ? number : fallback;
}
