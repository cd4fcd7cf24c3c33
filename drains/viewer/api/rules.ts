/** `/api/streams/:stream/rules`: senders of syslog that can't show a token are known by their port, network, certificate, tag or hostname. */
import type { FastifyInstance } from 'fastify';
import {
  normalizeConditions,
  RuleRecords,
  readRuleConditions,
} from '../../../src/logs/router/rule-records.ts';
import type { RuleRecord } from '../../../src/logs/router/source-rules.ts';
import { WILDCARD_SOURCE } from '../../../src/logs/router/token-cache.ts';
import type { ViewerParts } from '../parts.ts';
import { readBody } from './body.ts';
import { Parameters } from './parameters.ts';
import { grantOf } from './request-grant.ts';

interface RuleRequest {
  Params: { stream: string; rule: string };
}

/** For owners of all: a rule takes lines from whoever meets it. */
export function registerRuleRoutes(
  server: FastifyInstance,
  { groups, records }: ViewerParts,
  requirePort: (port: number) => Promise<void>,
): void {
  const rules = new RuleRecords(records, requirePort);
  const path = '/api/streams/:stream/rules';

  server.get<RuleRequest>(path, async (request) => {
    new Parameters(request.query, []);
    grantOf(request).requireOwner();
    return (await rules.listOf(groups.getStream(request.params.stream).id)).map(ruleView);
  });

  server.post<RuleRequest>(path, async (request, reply) => {
    grantOf(request).requireOwner();
    const { id } = groups.getStream(request.params.stream);
    const body = readBody(request, {
      port: 'number?',
      network: 'string?',
      tag: 'string?',
      hostname: 'string?',
      certificate: 'string?',
    });
    // Lines keep the names of the programs that wrote them.
    return reply.code(201).send(ruleView(await rules.create(id, WILDCARD_SOURCE, readRuleConditions(body))));
  });

  server.delete<RuleRequest>(`${path}/:rule`, async (request, reply) => {
    grantOf(request).requireOwner();
    await rules.remove(groups.getStream(request.params.stream).id, request.params.rule);
    return reply.code(204).send();
  });
}

function ruleView({ id, createdAt, ...rule }: RuleRecord): object {
  return { id, ...normalizeConditions(rule), created_at: createdAt };
}
