import { escapeHtml } from '../../common/text/escape-html.ts';
import type { ErrorPageUrls } from './app-lookup.ts';
import type { Failure } from './error-codes.ts';

/** What the page says, by code: a title, and what to do. */
export const FAILURE_ADVICE: Record<string, readonly [string, string]> = {
  H10: ['The app crashed', 'Its last lines say why; or it was stopped. After a fix, restart it.'],
  H11: ['Too many requests are waiting', 'The app is still starting, or needs more web dynos.'],
  H12: ['The app took too long to answer', 'Find the slow request in the log; move long work to a worker.'],
  H13: ['The app hung up without an answer', 'Its process probably died during the request.'],
  H14: ['No web process is running', 'Start one with: tailrace scale web=1'],
  H15: ['The connection was idle for too long', 'Send something from time to time, or answer earlier.'],
  H17: ["The app's answer was not HTTP", 'Look for what it writes to its connection.'],
  H18: ['The app broke off its answer', 'Its process probably died during the request.'],
  H19: ['The app does not take connections', 'It is up, but too busy to accept one.'],
  H20: ['The app is not up yet', 'It has to listen on $PORT; its log says how far it came.'],
  H21: ['The app refuses connections', 'It has to listen on $PORT, on all addresses or 127.0.0.1.'],
  H25: ["The app's answer breaks a rule of HTTP", "The router's line in the log names the rule."],
  H26: ['The request could not be understood', "The router's line in the log names the reason."],
  H27: ['The client went away', 'It closed its connection before the answer was complete.'],
  H28: ['The request stopped halfway', 'Its body did not arrive in time.'],
  H80: ['The app is under maintenance', 'It will be back soon.'],
  H81: ['Nothing is deployed here, yet', 'Deploy it with: tailrace push'],
  H99: ['Something went wrong', 'Please try again in a moment.'],
};

/** A page to send instead of an app's response. */
export type ErrorPage = {
  title: string;
  text: string;
  footer: string;
  command: string;
  /** Address of a page of the app's own; for browsers. */
  iframeUrl?: string;
};

/** The page about a failed request of an app. */
export function failurePage(
  failure: Failure,
  app: string,
  requestId: string,
  urls: ErrorPageUrls,
): ErrorPage {
  const [title, text] = FAILURE_ADVICE[failure.code] ?? FAILURE_ADVICE.H99;
  return {
    title,
    text,
    footer: `${failure.code} ${failure.desc} · ${app} · ${requestId}`,
    command: failure.at === 'info' ? '' : `tailrace logs --tail -a ${app}`,
    iframeUrl:
      failure.code === 'H80'
        ? urls.maintenance
        : failure.status >= 500 && failure.at === 'error'
          ? urls.error
          : undefined,
  };
}

/** The page for a host name that belongs to no app. */
export const unknownHostPage: ErrorPage = {
  title: "There's nothing here, yet",
  text: 'No app answers to this name. These are the ones there are:',
  footer: '404 · Tailrace',
  command: 'tailrace apps',
};

/** The page for a malformed request that belongs to no app. */
export const badRequestPage: ErrorPage = {
  title: 'The request could not be understood',
  text: 'It is not well-formed HTTP/1.1.',
  footer: '400 · Tailrace',
  command: '',
};

const REASON_PHRASES: Record<number, string> = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
  499: 'Client Closed Request',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
};

/** Has to be in a 405 (RFC 9110 section 15.5.6). Others are passed on too: apps may have methods of their own. */
const ALLOW = 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n';

/**
 * A whole HTTP response with a page.
 * @param html as HTML, else as plain text
 * @param headOnly for HEAD
 * @param connection value of the Connection header, '' for none
 */
export function errorPageResponse(
  page: ErrorPage,
  status: number,
  html: boolean,
  headOnly: boolean,
  connection: string,
): Buffer {
  const body = Buffer.from(html ? asHtml(page) : asText(page));
  const head = Buffer.from(
    `HTTP/1.1 ${status} ${REASON_PHRASES[status] ?? 'Error'}\r\nContent-Type: text/${html ? 'html' : 'plain'}; charset=utf-8\r\nContent-Length: ${body.length}\r\nCache-Control: no-store\r\n${status === 405 ? ALLOW : ''}Date: ${new Date().toUTCString()}\r\n${connection === '' ? '' : `Connection: ${connection}\r\n`}Via: 1.1 tailrace\r\n\r\n`,
  );
  return headOnly ? head : Buffer.concat([head, body]);
}

function asText(page: ErrorPage): string {
  return `${page.title}. ${page.text}\n${page.command === '' ? '' : `\n  ${page.command}\n`}\n${page.footer}\n`;
}

function asHtml(page: ErrorPage): string {
  // A frame, so that the page's relative addresses are its own.
  if (page.iframeUrl !== undefined)
    return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(page.title)}</title><style>html,body,iframe{margin:0;border:0;height:100%;width:100%;display:block}</style><iframe src="${escapeHtml(page.iframeUrl)}"></iframe></html>\n`;
  const command = page.command === '' ? '' : `<pre>${escapeHtml(page.command)}</pre>`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(page.title)}</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:18vh auto;padding:0 1.5rem;color:#1c2b33;background:#f6f8f9}h1{font-size:1.5rem}pre{background:#1c2b33;color:#d8f3ee;padding:.8rem 1rem;border-radius:6px;overflow:auto}footer{color:#60717a;font-size:.85rem;overflow-wrap:anywhere}@media(prefers-color-scheme:dark){body{color:#dfe7ea;background:#11191d}}</style><h1>${escapeHtml(page.title)}</h1><p>${escapeHtml(page.text)}</p>${command}<footer>${escapeHtml(page.footer)}</footer></html>\n`;
}
