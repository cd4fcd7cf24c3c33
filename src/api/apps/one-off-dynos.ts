import type { FastifyInstance } from 'fastify';
import type { DynoRunner, OneOffDynoRequest } from '../../apps/host/contract.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { applyConfigChange } from '../../apps/records/config-change.ts';
import { parseDynoSize } from '../../apps/records/dyno-sizes.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Addresses } from '../../common/http/addresses.ts';
import { FILTERED_ROUTE, needsScope } from '../access/authorize.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { type DynoViewDependencies, dynoView } from './dynos.ts';

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
export interface OneOffDynoRouteDependencies extends DynoViewDependencies {
  readonly addresses: Addresses;
  readonly appRegistry: AppRegistry;
  readonly dynoRunner: DynoRunner;
}

/** `POST /apps/:app/dynos`: one-off dynos, attached or not; commands in dynos that are there; terminals, and the size of their windows. */
export function oneOffDynoRoutes(api: FastifyInstance, dependencies: OneOffDynoRouteDependencies): void {
  const { addresses, appRegistry, dynoRunner } = dependencies;
  const nullable = (type: string) => ({ type: [type, 'null'] });
  const requestBody = bodySchema(
    {
      command: { type: 'string', maxLength: 32_768 },
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
      const dyno = await dynoRunner.run(app, parseRequest(request.body, 'run'));
      reply.code(201);
      return dynoView(dyno, app, dependencies, attachUrl(addresses.hostFor(request), dyno.attachPath));
    },
  );
  // `heroku run:inside`, which says neither that it attaches nor that it wants a terminal.
  api.post<{ Params: { app: string; dyno: string }; Body: NewOneOffRequest }>(
    '/apps/:app/dynos/:dyno',
    {
      ...routeSchema('Run a command in a dyno that is there', 'Dyno', { status: 201, body: requestBody }),
      ...needsScope('run'),
    },
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const wanted = { ...parseRequest(request.body, 'exec'), attach: true };
      const dyno = await dynoRunner.runInside(app, request.params.dyno, wanted);
      reply.code(201);
      return dynoView(dyno, app, dependencies, attachUrl(addresses.hostFor(request), dyno.attachPath));
    },
  );
  api.post<{ Params: { app: string; dyno: string } }>(
    '/apps/:app/dynos/:dyno/actions/attach',
    {
      ...routeSchema('Attach a terminal to a dyno', 'AttachedTerminal', {
        status: 201,
        body: bodySchema({}),
      }),
      ...needsScope('run'),
    },
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const { name, attachPath } = await dynoRunner.attach(app, request.params.dyno);
      reply.code(201);
      return { name, attach_url: attachUrl(addresses.hostFor(request), attachPath) };
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

/** @throws TailraceError `invalid_params` */
function parseRequest(body: NewOneOffRequest, defaultType: string): OneOffDynoRequest {
  const { command, attach, force_no_tty: noTerminal, env, type, size } = body;
  if (command.trim() === '')
    throw new TailraceError('invalid_params', 'The command is empty: say what to run.');
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
  return {
    command,
    type: type || defaultType,
    attach: attach ?? false,
    terminalSize: noTerminal ? undefined : window,
    env: stringEnv,
    size: size ? parseDynoSize(size) : undefined,
  };
}

function attachUrl(host: string, path: string | undefined): string | null {
  return path === undefined ? null : `rendezvous://${host}${path}`;
}

function parseDimension(value: string | number | undefined, fallback: number): number {
  const number = Number(value);
  return Number.isInteger(number) && number >= 1 && number <= TERMINAL_SIZE_MAX ? number : fallback;
}
