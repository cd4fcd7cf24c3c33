/** The program of a keeper: `node keeper.js FOLDER`. It says `ready` when a server may connect. */
import { Keeper } from './keeper.ts';

/** Signals that are meant for the server: a terminal's Ctrl-C, the end of a session. The server says what is to be done. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const)
  process.on(signal, () => {});

const keeper = new Keeper(process.argv[2], () => process.exit(0));
process.stdout.on('error', () => {});
void keeper.open().then(() => process.stdout.write('ready\n'));
