import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { type AppRegistry, SOURCE_NAME_PATTERN } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import {
  type RuleConditions,
  type RuleRecord,
  ruleKey,
  validateRuleConditions,
} from '../../logs/router/source-rules.ts';
import type { Store } from '../../logs/store/contract.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

const RULES_MAX = 1_000;
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
  const rules = async (): Promise<RuleRecord[]> =>
    (await store.list<RuleRecord>('', 'rule/')).map(({ value }) => value);

  api.get<RuleParams>(
    '/apps/:app/source-rules',
    routeSchema('List the rules', 'SourceRule', { many: true }),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      return (await rules()).filter((rule) => rule.app === app.id).map(ruleView);
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
      const { source, conditions } = parseRuleBody(request.body ?? {});
      validateRuleConditions(conditions);
      const all = await rules();
      const duplicate = all.find(
        (rule) => JSON.stringify(normalizeConditions(rule)) === JSON.stringify(conditions),
      );
      if (duplicate)
        throw new TailraceError(
          'conflict',
          `There is a rule with the same conditions already: ${duplicate.id}.`,
        );
      if (all.length >= RULES_MAX)
        throw new TailraceError('invalid_params', `There are ${RULES_MAX} rules: remove some first.`);
      if (conditions.port !== undefined) await requirePort(conditions.port);
      const rule: RuleRecord = {
        id: randomUUID(),
        app: app.id,
        source,
        ...conditions,
        number: 1 + Math.max(0, ...all.map(({ number }) => number ?? 0)),
        createdAt: new Date().toISOString(),
      };
      await store.transact('', [{ key: ruleKey(rule.id), value: rule }]);
      reply.code(201);
      return ruleView(rule);
    },
  );
  api.delete<{ Params: { app: string; rule: string } }>(
    '/apps/:app/source-rules/:rule',
    routeSchema('Remove a rule', 'SourceRule'),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const found = await store.get<RuleRecord>('', ruleKey(request.params.rule));
      if (found?.value.app !== app.id) throw new TailraceError('not_found', "Couldn't find that rule.");
      await store.transact('', [{ key: ruleKey(found.value.id), value: undefined }]);
      return ruleView(found.value);
    },
  );
}

function parseRuleBody(body: Record<string, unknown>): { source: string; conditions: RuleConditions } {
  const text = (name: string): string | undefined => {
    const value = body[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'string' || value === '')
      throw new TailraceError('invalid_params', `The rule's ${name} must be a text.`);
    return value;
  };
  const source = text('source');
  if (!source || !SOURCE_NAME_PATTERN.test(source))
    throw new TailraceError(
      'invalid_params',
      'A rule needs the name of its source: up to 48 letters, digits, dots, dashes and underscores.',
    );
  const { port } = body;
  if (port !== undefined && port !== null && typeof port !== 'number')
    throw new TailraceError('invalid_params', "The rule's port must be a number.");
  const given = {
    port: port ?? undefined,
    network: text('network'),
    tag: text('tag'),
    hostname: text('hostname'),
    certificate: text('certificate'),
  };
  return { source, conditions: normalizeConditions(given) };
}

/** Only what is given, always in the same order. */
function normalizeConditions({ port, network, tag, hostname, certificate }: RuleConditions): RuleConditions {
  return {
    ...(port === undefined ? {} : { port }),
    ...(network === undefined ? {} : { network }),
    ...(tag === undefined ? {} : { tag }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(certificate === undefined ? {} : { certificate }),
  };
}

function ruleView({ id, source, createdAt, ...rule }: RuleRecord) {
  return { id, source, ...normalizeConditions(rule), created_at: createdAt };
}
