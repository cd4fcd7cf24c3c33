/** The audit stream's lines: one for each request that changed something. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { KeyGrant } from '../../apps/access/api-keys.ts';
import type { AuditEvent, AuditLog } from '../../apps/access/audit-log.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { auditedFields, auditedParams } from './audited-fields.ts';
import { nameOf } from './people.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Name of the app that a changing request concerns. */
    auditedApp?: string;
    /** What the handler adds to the line. */
    auditedMore?: Readonly<Record<string, string>>;
  }
}

/** What the hooks work with. */
export interface AuditDependencies {
  readonly auditLog: AuditLog;
  readonly appRegistry: AppRegistry;
}

/** Adds the hooks to routes that are registered from now on. Those before have said who makes the request. */
export function auditRequests(api: FastifyInstance, { auditLog, appRegistry }: AuditDependencies): void {
  // Before it is destroyed, or has another name.
  api.addHook('preHandler', async (request) => {
    const { app } = (request.params ?? {}) as { app?: string };
    if (isAudited(request) && app !== undefined) request.auditedApp = (await appRegistry.findApp(app))?.name;
  });
  // Of a new app, or where the app is named in the body.
  api.addHook('preSerialization', async (request, _reply, payload) => {
    if (isAudited(request) && request.auditedApp === undefined)
      request.auditedApp = appNameIn(request.routeOptions.url === '/apps' ? { app: payload } : payload);
    return payload;
  });
  // Before it is answered: whoever hangs up in time would have changed it unseen.
  api.addHook('onSend', async (request, { statusCode }, payload) => {
    if (!isAudited(request) || statusCode >= 400) return payload;
    const { method, routeOptions, params, body, keyGrant, auditedApp } = request;
    const { summary } = (routeOptions.schema ?? {}) as { summary?: string };
    writeAudit(auditLog, request, keyGrant, {
      action: summary ?? `${method} ${routeOptions.url}`,
      app: auditedApp,
      fields: {
        ...auditedParams((params ?? {}) as Readonly<Record<string, string>>),
        ...auditedFields(`${method} ${routeOptions.url}`, body),
        ...request.auditedMore,
      },
    });
    return payload;
  });
}

/** Writes what was done with a request, by whoever has made it. */
export function writeAudit(
  auditLog: AuditLog,
  { id, ip, partnerAddon }: FastifyRequest,
  grant: KeyGrant | undefined,
  { action, app, fields }: Omit<AuditEvent, 'by'>,
): void {
  const by = partnerAddon === undefined ? nameOf(grant) : `partner of ${partnerAddon}`;
  auditLog.write({ action, by, app, fields: { ...fields, key: grant?.id, from: ip, request: id } });
}

function isAudited({ method }: FastifyRequest): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

function appNameIn(payload: unknown): string | undefined {
  const { app } = (payload ?? {}) as { app?: { name?: unknown } | null };
  return typeof app?.name === 'string' ? app.name : undefined;
}
