import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../../common/errors.ts';
import type { Context } from '../context.ts';
import { body, describe } from '../shapes.ts';
import { dynoView } from './dynos.ts';

interface NewDyno {
  readonly command: string;
  readonly attach?: boolean | null;
  readonly force_no_tty?: boolean | null;
  readonly env?: Readonly<Record<string, string | number>> | null;
  readonly type?: string | null;
}
interface Window {
  readonly columns: number;
  readonly lines: number;
}

const TYPE = /^[a-z][a-z0-9_-]{0,29}$/;
const WINDOW_MAX = 1_000;

/** `POST /apps/:app/dynos`: one-off dynos, attached or not; and the size of their windows. */
export function oneOffRoutes(api: FastifyInstance, context: Context): void {
  const { directory, runner } = context;
  const nullable = (type: string) => ({ type: [type, 'null'] });
  const wanted = body(
    {
      command: { type: 'string', minLength: 1, maxLength: 32_768 },
      attach: nullable('boolean'),
      force_no_tty: nullable('boolean'),
      type: nullable('string'),
      env: { type: ['object', 'null'], additionalProperties: { type: ['string', 'number'] } },
    },
    ['command'],
  );
  api.post<{ Params: { app: string }; Body: NewDyno }>(
    '/apps/:app/dynos',
    describe('Run a command in a dyno of its own', 'Dyno', { status: 201, body: wanted }),
    async (request, reply) => {
      const app = await directory.app(request.params.app);
      const { command, attach, force_no_tty: noTerminal, env, type } = request.body;
      if (command.includes('\0'))
        throw new TailraceError('invalid_params', 'There is a NUL byte in the command.');
      if (type && !TYPE.test(type))
        throw new TailraceError('invalid_params', `"${type}" can't be a process type.`);
      const given = Object.fromEntries(
        Object.entries(env ?? {}).map(([name, value]) => [name, String(value)]),
      );
      const window = { columns: size(given.COLUMNS, 80), rows: size(given.LINES, 24) };
      const dyno = await runner.run(app, {
        command,
        type: type || 'run',
        attach: attach ?? false,
        window: noTerminal ? undefined : window,
        env: given,
      });
      reply.code(201);
      const attachUrl = dyno.attachPath && `rendezvous://${request.hostname}${dyno.attachPath}`;
      return dynoView(dyno, app, {}, attachUrl ?? null);
    },
  );
  const window = body({ columns: { type: 'integer' }, lines: { type: 'integer' } }, ['columns', 'lines']);
  api.patch<{ Params: { app: string; dyno: string }; Body: Window }>(
    '/apps/:app/dynos/:dyno',
    describe("Change the size of an attached dyno's window", 'Empty', { body: window }),
    async (request) => {
      const app = await directory.app(request.params.app);
      const { columns, lines } = request.body;
      if (!runner.resize(app.id, request.params.dyno, size(columns, 80), size(lines, 24)))
        throw new TailraceError('not_found', "Couldn't find that dyno.");
      return {};
    },
  );
  api.get(
    '/certificate-authority',
    describe(
      "The certificate of this server's own authority, PEM, for attached dynos",
      'CertificateAuthority',
    ),
    async () => ({ certificate: await runner.authority() }),
  );
}

function size(given: string | number | undefined, usual: number): number {
  const number = Number(given);
  return Number.isInteger(number) && number >= 1 && number <= WINDOW_MAX ? number : usual;
}
