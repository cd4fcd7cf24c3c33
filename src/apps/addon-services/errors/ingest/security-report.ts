/** Reports of browsers about a Content-Security-Policy, as events (https://docs.sentry.io/security-legal-pii/security/security-policy-reporting/). */
import { isJsonObject, type JsonObject } from '../../../../common/json-object.ts';
import { arrayOf, memberOf, textOf } from '../event/json-access.ts';

/** `{"csp-report": {…}}` of `report-uri`, or what `report-to` sends (https://www.w3.org/TR/reporting-1/); others give nothing. */
export function readSecurityReports(body: unknown): JsonObject[] {
  const old = memberOf(body, 'csp-report');
  if (isJsonObject(old))
    return [toEvent(old, 'effective-directive', 'violated-directive', 'blocked-uri', 'document-uri')];
  return arrayOf(body).flatMap((report) => {
    const details = memberOf(report, 'body');
    if (memberOf(report, 'type') !== 'csp-violation' || !isJsonObject(details)) return [];
    return [toEvent(details, 'effectiveDirective', 'violatedDirective', 'blockedURL', 'documentURL')];
  });
}

function toEvent(
  report: JsonObject,
  effective: string,
  violated: string,
  blocked: string,
  page: string,
): JsonObject {
  const directive = textOf(memberOf(report, effective)) ?? textOf(memberOf(report, violated)) ?? 'policy';
  const [name] = directive.split(' ');
  const source = hostOf(textOf(memberOf(report, blocked)) ?? 'inline');
  return {
    level: 'warning',
    platform: 'javascript',
    logger: 'csp',
    message: `Blocked ${name} from ${source}`,
    fingerprint: ['csp', name, source],
    request: { url: textOf(memberOf(report, page)) },
    tags: { 'effective-directive': name, 'blocked-uri': source },
    extra: report,
  };
}

/** What was blocked: the origin of an address, or a word such as `inline` and `data`. */
function hostOf(address: string): string {
  return URL.canParse(address) && new URL(address).host !== '' ? new URL(address).origin : address;
}
