import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import type { SignOnForm } from '../../apps/host/addons/provider.ts';
import { escapeHtml } from '../../common/text/escape-html.ts';

const SCRIPT = 'document.forms[0].submit()';
const SCRIPT_HASH = createHash('sha256').update(SCRIPT).digest('base64');

/** A page that posts a form at once, or with a button where scripts are off. */
export function sendSignOnPage(reply: FastifyReply, { action, fields }: SignOnForm): FastifyReply {
  // Where the form's own answer redirects to counts, too (CSP Level 3, form-action): that is the partner's affair.
  const targets = action.startsWith('https:') ? 'https:' : 'http: https:';
  return reply
    .type('text/html; charset=utf-8')
    .header(
      'Content-Security-Policy',
      `default-src 'none'; script-src 'sha256-${SCRIPT_HASH}'; form-action ${targets}; base-uri 'none'; frame-ancestors 'none'`,
    )
    .header('X-Content-Type-Options', 'nosniff')
    .header('Referrer-Policy', 'no-referrer')
    .header('Cache-Control', 'no-store')
    .send(signOnHtml(action, fields));
}

function signOnHtml(action: string, fields: SignOnForm['fields']): string {
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
  );
  return `<!doctype html>
<html lang="en">
<title>Signing on</title>
<form method="post" action="${escapeHtml(action)}">
${inputs.join('\n')}
<noscript><button>Go on to ${escapeHtml(new URL(action).host)}</button></noscript>
</form>
<script>${SCRIPT}</script>
`;
}
