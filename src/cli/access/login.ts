import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { trimTrailing } from '../../common/limits/trim-trailing.ts';
import { ApiClient, serverUrlFromEnvironment } from '../api-client.ts';
import { printText } from '../format.ts';
import type { AuthorizationView } from '../server/authorizations.ts';
import { logInWithBrowser } from './browser-login.ts';
import { forgetLogin, loadLogins, saveLogin } from './credentials.ts';

interface LoginOptions {
  readonly url?: string;
  readonly email?: string;
  /** With the program that opens it, or without. */
  readonly browser?: boolean | string;
}

/** `tailrace login`, `logout`, `whoami`: with a server that is elsewhere. */
export function loginCommands(program: Command): void {
  program
    .command('login')
    .alias('auth:login')
    .description('log in to a server, with your e-mail address and password or in a browser')
    .option('--url <url>', 'the server: https://logs.example.com (default: TAILRACE_URL)')
    .option('--email <address>', 'yours (default: asked for)')
    .option(
      '--browser [program]',
      'say who you are in a browser (default: the one of this machine, or any other)',
    )
    .addHelpText(
      'after',
      '\nThe password is asked for, or read from standard input. Where an identity provider is set, it is asked, in a browser.',
    )
    .action(logIn);
  program
    .command('logout')
    .alias('auth:logout')
    .description('log out: the key of the login is revoked')
    .action(logOut);
  program
    .command('whoami')
    .alias('auth:whoami')
    .description('say whose key is used')
    .action(async () => {
      const { email } = await new ApiClient().request<{ email: string }>('GET', '/account');
      printText(email);
    });
}

async function logIn(options: LoginOptions): Promise<void> {
  const url = trimTrailing(options.url ?? serverUrlFromEnvironment() ?? '', '/');
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new TailraceError('invalid_params', 'Which server? Name it with --url https://… or TAILRACE_URL.');
  if (options.browser || (options.email === undefined && (await asksProvider(url)))) {
    await logInWithBrowser(url, typeof options.browser === 'string' ? options.browser : undefined);
    return;
  }
  const { email, password } = await askForPassword(url, options.email);
  const basic = `Basic ${Buffer.from(`${email}:${password}`).toString('base64')}`;
  const client = new ApiClient({ url, key: '', authorization: basic });
  const key = await client
    .request<AuthorizationView>('POST', '/oauth/authorizations', { description: `login of ${email}` })
    .catch((error: unknown) => {
      if (!(error instanceof TailraceError) || error.code !== 'unauthorized') throw error;
      throw new TailraceError('unauthorized', `${url} doesn't know this address with this password.`);
    });
  saveLogin({ url, key: key.access_token.token, id: key.id, email });
  printText(`Logged in to ${url} as ${email}`);
}

/** Do people sign in with an identity provider there? */
async function asksProvider(url: string): Promise<boolean> {
  const { provider } = await new ApiClient({ url, key: '' }).request<{ provider?: object | null }>(
    'GET',
    '/session',
  );
  return provider != null;
}

async function logOut(): Promise<void> {
  const wanted = serverUrlFromEnvironment();
  const login = loadLogins().find(({ url }) => wanted === undefined || url === wanted);
  if (!login) throw new TailraceError('not_found', 'You are logged in nowhere.');
  const client = new ApiClient({ url: login.url, key: login.key });
  await client
    .request('DELETE', `/oauth/authorizations/${encodeURIComponent(login.id)}`)
    .catch((error: unknown) => {
      // It is worth nothing any more, or the server is gone: then there is nothing to revoke.
      if (!(error instanceof TailraceError)) throw error;
      process.stderr.write(`The key of the login could not be revoked: ${error.message}\n`);
    });
  forgetLogin(login);
  printText(`Logged out of ${login.url}`);
}

async function askForPassword(
  url: string,
  given: string | undefined,
): Promise<{ email: string; password: string }> {
  const { stdin } = process;
  if (!stdin.isTTY) {
    if (given === undefined)
      throw new TailraceError('invalid_params', 'Whose password? Name the address with --email.');
    const [password] = (await readAll(stdin)).split('\n');
    return { email: given, password: password.replace(/\r$/, '') };
  }
  // What is typed after the question of the password is read, but not shown.
  let isHidden = false;
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (!isHidden) process.stderr.write(chunk);
      done();
    },
  });
  const prompt = createInterface({ input: stdin, output, terminal: true });
  try {
    const email = given ?? (await prompt.question(`E-mail address at ${url}: `)).trim();
    process.stderr.write('Password: ');
    isHidden = true;
    const password = await prompt.question('');
    process.stderr.write('\n');
    return { email, password };
  } finally {
    prompt.close();
  }
}
