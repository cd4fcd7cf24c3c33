/**
 * JSON Schemas of responses, in the shapes of the Heroku Platform API v3. The OpenAPI description is made from them, and the
 * tests validate every response.
 */

import {
  anyValue,
  boolean,
  dateTime,
  dateTimeOrNull,
  integer,
  integerOrNull,
  type JsonSchema,
  nullable,
  objectSchema,
  string,
  stringOrNull,
  strings,
} from './schema-builder.ts';
import { TAILRACE_SCHEMAS } from './schemas-tailrace.ts';

const reference = objectSchema({ id: string, name: string });
const user = objectSchema({ id: string, email: string });

/** By name. */
export const API_SCHEMAS = {
  ...TAILRACE_SCHEMAS,
  Account: objectSchema({ id: string, email: string, name: string }),
  App: objectSchema({
    id: string,
    name: string,
    generation: objectSchema({ name: string }),
    owner: user,
    region: reference,
    stack: reference,
    build_stack: reference,
    acm: boolean,
    create_status: string,
    git_url: string,
    web_url: string,
    maintenance: boolean,
    created_at: dateTime,
    updated_at: dateTime,
    released_at: dateTimeOrNull,
    archived_at: dateTimeOrNull,
    slug_size: integerOrNull,
    repo_size: integerOrNull,
    space: anyValue,
    team: anyValue,
    process_tier: string,
    imported_from: stringOrNull,
  }),
  AppSetup: objectSchema({
    id: string,
    app: reference,
    build: anyValue,
    status: string,
    failure_message: stringOrNull,
    manifest_errors: strings,
    postdeploy: anyValue,
    resolved_success_url: stringOrNull,
    notes: strings,
    created_at: dateTime,
    updated_at: dateTime,
  }),
  Addon: objectSchema({
    id: string,
    name: string,
    app: reference,
    addon_service: reference,
    plan: objectSchema({ id: string, name: string, price: objectSchema({ cents: integer, unit: string }) }),
    billed_price: objectSchema({ cents: integer, unit: string }),
    billing_entity: objectSchema({ id: string, name: string, type: string }),
    config_vars: strings,
    state: string,
    web_url: stringOrNull,
    provision_message: stringOrNull,
    created_at: dateTime,
    updated_at: dateTime,
  }),
  Attachment: objectSchema({
    id: string,
    name: string,
    addon: objectSchema({ id: string, name: string, app: reference }),
    app: reference,
    config_vars: strings,
    namespace: stringOrNull,
    web_url: stringOrNull,
    created_at: dateTime,
    updated_at: dateTime,
  }),
  Authorization: objectSchema({
    id: string,
    description: string,
    scope: strings,
    current: boolean,
    apps: nullable(strings),
    last_used_at: nullable(dateTime),
    last_used_from: stringOrNull,
    made_from: stringOrNull,
    made_with: stringOrNull,
    access_token: nullable(objectSchema({ id: string, token: string, expires_in: integerOrNull })),
    created_at: dateTime,
    updated_at: dateTime,
    user,
  }),
  Collaborator: objectSchema({
    id: string,
    app: reference,
    user,
    role: string,
    permissions: anyValue,
    created_at: dateTime,
    updated_at: dateTime,
  }),
  ConfigVars: { type: 'object', additionalProperties: string },
  Person: objectSchema({
    id: string,
    email: string,
    state: string,
    role: stringOrNull,
    apps: { type: 'array', items: objectSchema({ app: reference, role: string }) },
    invitation_url: stringOrNull,
    created_at: dateTime,
    expires_at: nullable(dateTime),
  }),
  Domain: objectSchema({
    id: string,
    app: reference,
    hostname: string,
    kind: string,
    cname: stringOrNull,
    status: string,
    acm_status: stringOrNull,
    sni_endpoint: anyValue,
    created_at: dateTime,
    updated_at: dateTime,
  }),
  Dyno: objectSchema({
    id: string,
    name: string,
    type: string,
    command: string,
    size: string,
    state: string,
    attach_url: stringOrNull,
    release: objectSchema({ id: string, version: integer }),
    app: reference,
    created_at: dateTime,
    updated_at: dateTime,
  }),
  DynoSize: objectSchema({
    id: string,
    name: string,
    memory: { type: 'number' },
    cost: objectSchema({ cents: integer, unit: string }),
    compute: integer,
    dedicated: boolean,
    dyno_units: integer,
    precise_dyno_units: { type: 'number' },
    generation: reference,
  }),
  Error: objectSchema({ id: string, message: string }),
  Feature: objectSchema({
    id: string,
    name: string,
    display_name: string,
    description: string,
    doc_url: string,
    enabled: boolean,
    feedback_email: string,
    state: string,
    created_at: dateTime,
    updated_at: dateTime,
  }),
  Formation: objectSchema({
    id: string,
    type: string,
    quantity: integer,
    size: string,
    command: string,
    app: reference,
    created_at: dateTime,
    updated_at: dateTime,
  }),
  LogDrain: objectSchema({
    id: string,
    token: string,
    url: string,
    addon: anyValue,
    extended: objectSchema({ drain_id: string }),
    paused: boolean,
    options: { type: 'object' },
    delivery: { type: 'object' },
    created_at: dateTime,
    updated_at: dateTime,
  }),
  LogSession: objectSchema({ id: string, logplex_url: string, created_at: dateTime, updated_at: dateTime }),
  Plan: objectSchema({
    id: string,
    name: string,
    addon_service: reference,
    default: boolean,
    description: string,
    human_name: string,
    price: objectSchema({ cents: integer, unit: string }),
    state: string,
    visible: boolean,
    created_at: dateTime,
    updated_at: dateTime,
  }),
  RateLimit: objectSchema({ remaining: integer }),
  Reference: reference,
  Release: objectSchema({
    id: string,
    version: integer,
    current: boolean,
    status: string,
    description: string,
    user,
    app: reference,
    slug: nullable(objectSchema({ id: string })),
    addon_plan_names: strings,
    output_stream_url: stringOrNull,
    eligible_for_rollback: boolean,
    created_at: dateTime,
    updated_at: dateTime,
  }),
  Slug: objectSchema({
    id: string,
    process_types: { type: 'object', additionalProperties: string },
    size: integer,
    commit: stringOrNull,
    commit_description: stringOrNull,
    buildpack_provided_description: stringOrNull,
    checksum: stringOrNull,
    stack: reference,
    created_at: dateTime,
    updated_at: dateTime,
  }),
  TelemetryDrain: objectSchema({
    id: string,
    exporter: objectSchema({ type: string, endpoint: string, headers: { type: 'object' } }),
    owner: objectSchema({ id: string, type: string }),
    signals: strings,
    created_at: dateTime,
    updated_at: dateTime,
  }),
} as const satisfies Record<string, JsonSchema>;

export type SchemaName = keyof typeof API_SCHEMAS;

/** A route's schema: requests are validated by it, and the OpenAPI description is made from it. */
export interface RouteSchema {
  readonly summary: string;
  readonly body?: JsonSchema;
  readonly response: Readonly<Record<number, JsonSchema>>;
}

/** Responses without a component of their own. */
const UNNAMED_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Empty: { type: 'object', maxProperties: 0 },
  Text: { type: 'string' },
};

/** A route's description; `many` for lists. */
export function routeSchema(
  summary: string,
  responseName: SchemaName | 'Empty' | 'Text',
  options: { readonly many?: boolean; readonly status?: number; readonly body?: JsonSchema } = {},
): { schema: RouteSchema } {
  const { many = false, status = 200, body } = options;
  const itemSchema = UNNAMED_SCHEMAS[responseName] ?? { $ref: `${responseName}#` };
  const schema = many ? { type: 'array', items: itemSchema } : itemSchema;
  return { schema: { summary, ...(body ? { body } : {}), response: { [status]: schema } } };
}

/** An object of these properties, for bodies. Other properties are ignored, as Heroku does. */
export function bodySchema(
  properties: Record<string, JsonSchema>,
  required: readonly string[] = [],
): JsonSchema {
  // No body is null to what validates it.
  return required.length > 0
    ? { type: 'object', properties, required }
    : { type: ['object', 'null'], properties };
}
