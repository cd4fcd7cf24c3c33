import type { FastifyInstance } from 'fastify';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import { normalizeConditions, RuleRecords, readRuleConditions } from '../../logs/router/rule-records.ts';
import type { RuleRecord } from '../../logs/router/source-rules.ts';
import { SOURCE_NAME_PATTERN } from '../../logs/sources/wildcard-token.ts';
import type { Store } from '../../logs/store/contract.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

/** Properties of a body; each is validated below, with a sentence about what is wrong. */
const CONDITION_PROPERTIES = { source: {}, port: {}, network: {}, tag: {}, hostname: {}, certificate: {} };

interface RuleParams {
  Params: { app: string };
}

/** What these routes work with. */
export interface SourceRuleRouteDependencies {
  readonly appRegistry: AppRegistry;
  /** @throws TailraceError `conflict` when no rule can name this port, because it can't be listened on here. */
  readonly requirePort: (port: number) => Promise<void>;
  readonly store: Store;
}

/** `/apps/:app/source-rules`: rules that identify senders without a token. */
export function sourceRuleRoutes(
  api: FastifyInstance,
  { appRegistry, requirePort, store }: SourceRuleRouteDependencies,
): void {
  const rules = new RuleRecords(store, requirePort);

  api.get<RuleParams>(
    '/apps/:app/source-rules',
    routeSchema('List the rules', 'SourceRule', { many: true }),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      return (await rules.listOf(app.id)).map(ruleView);
    },
  );
  api.post<RuleParams & { Body: Record<string, unknown> | null }>(
    '/apps/:app/source-rules',
    routeSchema('Make a rule that says who a sender is', 'SourceRule', {
      status: 201,
      body: bodySchema(CONDITION_PROPERTIES),
    }),
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const body = request.body ?? {};
      const rule = await rules.create(app.id, readSource(body), readRuleConditions(body));
      reply.code(201);
      return ruleView(rule);
    },
  );
  api.delete<{ Params: { app: string; rule: string } }>(
    '/apps/:app/source-rules/:rule',
    routeSchema('Remove a rule', 'SourceRule'),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      return ruleView(await rules.remove(app.id, request.params.rule));
    },
  );
}

/** @throws TailraceError `invalid_params` */
function readSource({ source }: Readonly<Record<string, unknown>>): string {
  if (typeof source === 'string' && SOURCE_NAME_PATTERN.test(source)) return source;
  if (source !== undefined && source !== null && (typeof source !== 'string' || source === ''))
    throw new TailraceError('invalid_params', "The rule's source must be a text.");
  throw new TailraceError(
    'invalid_params',
    'A rule needs the name of its source: up to 48 letters, digits, dots, dashes and underscores.',
  );
}

function ruleView({ id, source, createdAt, ...rule }: RuleRecord) {
  return { id, source, ...normalizeConditions(rule), created_at: createdAt };
}
