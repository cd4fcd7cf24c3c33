/** An e-mail add-on of a real server, and mails to it. */
import { connect } from 'node:net';
import { createTransport, type Transporter } from 'nodemailer';
import type { App, Server } from '../server.ts';

export interface MailAddon {
  readonly id: string;
  readonly name: string;
  readonly port: number;
  readonly login: string;
  readonly password: string;
  /** PEM. */
  readonly ca: string;
}

export interface ListedMail {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly size: number;
  readonly read: boolean;
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
}

export async function createMailAddon(server: Server, app: App, plan = 'mail'): Promise<MailAddon> {
  const { id, name } = await server.request<{ id: string; name: string }>(
    'POST',
    `/apps/${app.name}/addons`,
    { plan },
  );
  return { id, name, ...(await mailVars(server, app)) };
}

/** Of an add-on that was typed as `mail`. */
export async function mailVars(server: Server, app: App): Promise<Omit<MailAddon, 'id' | 'name'>> {
  const vars = await server.request<Record<string, string>>('GET', `/apps/${app.name}/config-vars`);
  return {
    port: Number(vars.MAIL_SMTP_PORT),
    login: vars.MAIL_SMTP_LOGIN,
    password: vars.MAIL_SMTP_PASSWORD,
    ca: vars.MAIL_SMTP_CA_CERT,
  };
}

export function transportTo({ port, login, password, ca }: MailAddon): Transporter {
  return createTransport({
    host: 'localhost',
    port,
    auth: { user: login, pass: password },
    tls: { ca },
  });
}

export function apiOf(server: Server, addon: MailAddon) {
  const path = (rest: string): string => `/addons/${addon.id}/page/api/${rest}`;
  return {
    get: <T>(rest: string): Promise<T> => server.request<T>('GET', path(rest)),
    list: async (query = 'limit=1000'): Promise<ListedMail[]> =>
      (await server.request<{ messages: ListedMail[] }>('GET', path(`messages?${query}`))).messages,
    fetch: (rest: string, init: RequestInit = {}): Promise<Response> =>
      fetch(server.url + path(rest), {
        ...init,
        headers: { authorization: `Bearer ${server.key}`, ...init.headers },
      }),
  };
}

/**
 * Sends a mail as these bytes, by the book of RFC 5321 and no more, so that it may be anything.
 * @param raw with CRLF; dots are doubled here
 * @returns the last answer
 */
export function sendRaw(
  addon: Pick<MailAddon, 'port' | 'login' | 'password'>,
  raw: string | Buffer,
  to = ['to@example.com'],
): Promise<string> {
  const text = typeof raw === 'string' ? raw : raw.toString('latin1');
  const data = Buffer.from(
    `${text.replace(/^\./gm, '..')}${text.endsWith('\r\n') ? '' : '\r\n'}.\r\n`,
    typeof raw === 'string' ? 'utf8' : 'latin1',
  );
  const plain = Buffer.from(`\0${addon.login}\0${addon.password}`).toString('base64');
  const commands: (string | Buffer)[] = [
    'EHLO test\r\n',
    `AUTH PLAIN ${plain}\r\n`,
    'MAIL FROM:<from@example.com>\r\n',
    ...to.map((address) => `RCPT TO:<${address}>\r\n`),
    'DATA\r\n',
    data,
  ];
  return new Promise((resolve, reject) => {
    const socket = connect(addon.port, '127.0.0.1');
    let received = '';
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed after: ${received}`)));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      received += chunk;
      const last = /^(\d{3}) .*\r\n$/m.exec(received);
      if (!last || !received.endsWith('\r\n')) return;
      const answer = received.trim();
      received = '';
      const next = commands.shift();
      if (next === undefined || !/^[23]/.test(last[1])) {
        socket.removeAllListeners('close');
        socket.end('QUIT\r\n');
        resolve(answer);
      } else socket.write(next);
    });
  });
}
