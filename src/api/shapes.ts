/**
 * JSON Schemas of what the API answers with, in the shapes of the Heroku Platform API v3. The OpenAPI description is made
 * from them, and the tests hold every answer against them.
 */

import {
  anything,
  count,
  countOrNull,
  flag,
  type JsonSchema,
  orNull,
  shape,
  text,
  textOrNull,
  texts,
  time,
  timeOrNull,
} from './json-schema.ts';
import { OWN_SHAPES } from './own-shapes.ts';

const named = shape({ id: text, name: text });
const user = shape({ id: text, email: text });

/** By name. */
export const SHAPES = {
  ...OWN_SHAPES,
  Account: shape({ id: text, email: text, name: text }),
  App: shape({
    id: text,
    name: text,
    generation: shape({ name: text }),
    owner: user,
    region: named,
    stack: named,
    build_stack: named,
    git_url: text,
    web_url: text,
    maintenance: flag,
    created_at: time,
    updated_at: time,
    released_at: timeOrNull,
    archived_at: timeOrNull,
    slug_size: countOrNull,
    repo_size: countOrNull,
    space: anything,
    team: anything,
    process_tier: text,
  }),
  Addon: shape({
    id: text,
    name: text,
    app: named,
    addon_service: named,
    plan: shape({ id: text, name: text, price: shape({ cents: count, unit: text }) }),
    billed_price: shape({ cents: count, unit: text }),
    billing_entity: shape({ id: text, name: text, type: text }),
    config_vars: texts,
    state: text,
    web_url: textOrNull,
    provision_message: textOrNull,
    created_at: time,
    updated_at: time,
  }),
  Attachment: shape({
    id: text,
    name: text,
    addon: shape({ id: text, name: text, app: named }),
    app: named,
    config_vars: texts,
    namespace: textOrNull,
    web_url: textOrNull,
    created_at: time,
    updated_at: time,
  }),
  Authorization: shape({
    id: text,
    description: text,
    scope: texts,
    access_token: orNull(shape({ id: text, token: text, expires_in: countOrNull })),
    created_at: time,
    updated_at: time,
    user,
  }),
  Collaborator: shape({
    id: text,
    app: named,
    user,
    role: text,
    permissions: anything,
    created_at: time,
    updated_at: time,
  }),
  ConfigVars: { type: 'object', additionalProperties: text },
  Domain: shape({
    id: text,
    app: named,
    hostname: text,
    kind: text,
    cname: textOrNull,
    status: text,
    acm_status: textOrNull,
    sni_endpoint: anything,
    created_at: time,
    updated_at: time,
  }),
  Dyno: shape({
    id: text,
    name: text,
    type: text,
    command: text,
    size: text,
    state: text,
    attach_url: textOrNull,
    release: shape({ id: text, version: count }),
    app: named,
    created_at: time,
    updated_at: time,
  }),
  Error: shape({ id: text, message: text }),
  Feature: shape({
    id: text,
    name: text,
    display_name: text,
    description: text,
    doc_url: text,
    enabled: flag,
    feedback_email: text,
    state: text,
    created_at: time,
    updated_at: time,
  }),
  Formation: shape({
    id: text,
    type: text,
    quantity: count,
    size: text,
    command: text,
    app: named,
    created_at: time,
    updated_at: time,
  }),
  LogDrain: shape({
    id: text,
    token: text,
    url: text,
    addon: anything,
    extended: shape({ drain_id: text }),
    paused: flag,
    options: { type: 'object' },
    delivery: { type: 'object' },
    created_at: time,
    updated_at: time,
  }),
  LogSession: shape({ id: text, logplex_url: text, created_at: time, updated_at: time }),
  Release: shape({
    id: text,
    version: count,
    current: flag,
    status: text,
    description: text,
    user,
    app: named,
    slug: orNull(shape({ id: text })),
    addon_plan_names: texts,
    output_stream_url: textOrNull,
    eligible_for_rollback: flag,
    created_at: time,
    updated_at: time,
  }),
  Slug: shape({
    id: text,
    process_types: { type: 'object', additionalProperties: text },
    size: count,
    commit: textOrNull,
    commit_description: textOrNull,
    buildpack_provided_description: textOrNull,
    checksum: textOrNull,
    stack: named,
    created_at: time,
    updated_at: time,
  }),
  TelemetryDrain: shape({
    id: text,
    exporter: shape({ type: text, endpoint: text, headers: { type: 'object' } }),
    owner: shape({ id: text, type: text }),
    signals: texts,
    created_at: time,
    updated_at: time,
  }),
} as const satisfies Record<string, JsonSchema>;

export type ShapeName = keyof typeof SHAPES;

/** What a route says about itself: it is validated by, and described from, this. */
export interface RouteSchema {
  readonly summary: string;
  readonly body?: JsonSchema;
  readonly response: Readonly<Record<number, JsonSchema>>;
}

/** Answers that have no name: nothing, and text. */
const PLAIN: Readonly<Record<string, JsonSchema>> = {
  Empty: { type: 'object', maxProperties: 0 },
  Text: { type: 'string' },
};

/** A route's description; `many` for lists. */
export function describe(
  summary: string,
  answer: ShapeName | 'Empty' | 'Text',
  options: { readonly many?: boolean; readonly status?: number; readonly body?: JsonSchema } = {},
): { schema: RouteSchema } {
  const { many = false, status = 200, body } = options;
  const one = PLAIN[answer] ?? { $ref: `${answer}#` };
  const schema = many ? { type: 'array', items: one } : one;
  return { schema: { summary, ...(body ? { body } : {}), response: { [status]: schema } } };
}

/** An object of these properties, for bodies. What isn't named is left alone, as Heroku does. */
export function body(properties: Record<string, JsonSchema>, required: readonly string[] = []): JsonSchema {
  return { type: ['object', 'null'], properties, ...(required.length > 0 ? { required } : {}) };
}
