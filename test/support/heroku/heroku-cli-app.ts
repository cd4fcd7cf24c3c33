/** An app with a web and a worker dyno on a real `tailrace start`, and the official `heroku` command for its user. */
import { afterAll, beforeAll } from 'vitest';
import { startApp } from '../start-app.ts';
import { HerokuCli } from './heroku-cli.ts';

const WEB = `require('http').createServer((q, r) => r.end('A is ' + process.env.A)).listen(process.env.PORT)`;
const FILES = {
  Procfile: 'web: node web.cjs\nworker: while true; do echo tick; sleep 0.2; done\n',
  'web.cjs': WEB,
};

/** The app `shop`, running while the tests of a file run. */
export class HerokuCliApp {
  server!: Awaited<ReturnType<typeof startApp>>;
  heroku!: HerokuCli;

  /** @param basePort of the dynos: another one for each file, since files run at the same time */
  constructor(basePort: number) {
    beforeAll(async () => {
      this.server = await startApp('shop', FILES, basePort);
      this.heroku = new HerokuCli(this.server);
    }, 300_000);
    afterAll(async () => {
      await this.server?.close();
      this.heroku?.close();
    });
  }

  /** The output of `heroku … -a shop`, which has to succeed. */
  readonly run = (command: string): Promise<string> => this.heroku.runOk(`${command} -a shop`);
}
