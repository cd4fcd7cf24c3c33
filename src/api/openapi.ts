import type { FastifyInstance, RouteOptions } from 'fastify';
import { type NeededScope, scopesGiving } from '../apps/access/key-scopes.ts';
import { scopeOfRoute } from './access/authorize.ts';
import { API_SCHEMAS, bodySchema } from './schemas-heroku.ts';

/** Routes outside the API's scope, which validate requests themselves. */
const UNREGISTERED_ROUTES: readonly RouteDescription[] = [
  {
    method: 'POST',
    path: '/logs',
    scope: 'ingest',
    schema: {
      summary: 'Send lines: with a source token, or an API key and ?token=',
      body: { type: 'string', description: 'application/logplex-1, text/plain, application/json …' },
      response: {
        200: { type: 'object', maxProperties: 0 },
        204: { type: 'string', maxLength: 0 },
      },
    },
  },
  {
    method: 'POST',
    path: '/apps/:app/log-sessions',
    scope: 'logs:read',
    schema: {
      summary: 'Make an address that lines can be read from without a key, for a while',
      body: bodySchema({ lines: {}, tail: {}, source: {}, dyno: {}, since: {}, until: {}, after: {} }),
      response: { 201: { $ref: 'LogSession#' } },
    },
  },
  {
    method: 'GET',
    path: '/sessions/:app/:secret',
    schema: { summary: 'Read the lines of a log session', response: { 200: { type: 'string' } } },
  },
  {
    method: 'GET',
    path: '/apps/:app/logs',
    scope: 'logs:read',
    schema: { summary: "Read an app's lines, as text or as events", response: { 200: { type: 'string' } } },
  },
  {
    method: 'PUT',
    path: '/sources/:name',
    schema: {
      summary: 'Take a source archive, for whoever knows its name',
      body: { type: 'string', format: 'binary' },
      response: { 200: { type: 'object', maxProperties: 0 } },
    },
  },
];

interface RouteDescription {
  readonly method: string;
  readonly path: string;
  readonly schema: unknown;
  /** What the key of a request needs; undefined: there needn't be one. */
  readonly scope?: NeededScope;
}

/**
 * Collects the schemas of the routes that are added from now on, and serves them as an OpenAPI 3.1 description at
 * `GET /openapi.json`: made from the same schemas that requests are checked with.
 */
export function openApiRoutes(api: FastifyInstance, version: string): void {
  const routes: RouteDescription[] = [];
  for (const [name, schema] of Object.entries(API_SCHEMAS)) api.addSchema({ $id: name, ...schema });
  // Responses are described, not filtered: JSON.stringify writes them as they are.
  api.setSerializerCompiler(() => (response) => JSON.stringify(response));
  api.addHook('onRoute', (route: RouteOptions) => {
    for (const method of [route.method].flat())
      if (method !== 'HEAD')
        routes.push({
          method,
          path: route.url,
          schema: route.schema,
          scope: scopeOfRoute(method, route.config),
        });
  });
  api.get(
    '/openapi.json',
    { schema: { summary: 'This description', response: { 200: { $ref: 'OpenApi#' } } } },
    async () => openApiDocument([...routes, ...UNREGISTERED_ROUTES], version),
  );
}

function openApiDocument(routes: readonly RouteDescription[], version: string) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, path, schema, scope } of routes) {
    const names = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name);
    const template = path.replace(/:(\w+)/g, '{$1}').replace('*', '{rest}');
    if (path.endsWith('*')) names.push('rest');
    paths[template] ??= {};
    paths[template][method.toLowerCase()] = {
      ...operation(names, readSchema(schema)),
      // Scopes of bearer keys are said in words in OpenAPI 3.1, and as its extension.
      ...(scope && { description: `Needs a key with ${scopesGiving(scope)}.`, 'x-key-scope': scope }),
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tailrace',
      version,
      description: 'Heroku Platform API v3 shapes, for apps on this server.',
    },
    security: [{ key: [] }],
    paths,
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      schemas: withOpenApiRefs(API_SCHEMAS),
    },
  };
}

interface OperationSchema {
  readonly summary?: unknown;
  readonly body?: unknown;
  readonly response?: Readonly<Record<string, unknown>>;
}

function operation(names: readonly string[], { summary, body, response = { 200: {} } }: OperationSchema) {
  const error = { description: 'Refused', content: jsonContent({ $ref: 'Error#' }) };
  return {
    summary,
    parameters: names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...(body ? { requestBody: { content: isBinary(body) ? binaryContent : jsonContent(body) } } : {}),
    responses: {
      ...Object.fromEntries(
        Object.entries(response).map(([status, schema]) => [
          status,
          {
            description: 'Done',
            content: isText(schema) ? { 'text/plain': { schema } } : jsonContent(schema),
          },
        ]),
      ),
      default: error,
    },
  };
}

const binaryContent = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } };

function isBinary(schema: unknown): boolean {
  return typeof schema === 'object' && schema !== null && 'format' in schema && schema.format === 'binary';
}

function isText(schema: unknown): boolean {
  return typeof schema === 'object' && schema !== null && 'type' in schema && schema.type === 'string';
}

function jsonContent(schema: unknown) {
  return { 'application/json': { schema: withOpenApiRefs(schema) } };
}

/** Fastify names a shared schema `App#`, OpenAPI `#/components/schemas/App`. */
function withOpenApiRefs(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withOpenApiRefs);
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [
      key,
      key === '$ref' && typeof value === 'string'
        ? `#/components/schemas/${value.replace(/#$/, '')}`
        : withOpenApiRefs(value),
    ]),
  );
}

function readSchema(schema: unknown): OperationSchema {
  return typeof schema === 'object' && schema !== null ? schema : {};
}
