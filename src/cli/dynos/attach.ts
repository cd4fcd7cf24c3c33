import { StringDecoder } from 'node:string_decoder';
import type { TLSSocket } from 'node:tls';
import type { Command } from 'commander';
import { APP_OPTION, remoteOption, resolveEndpoint } from '../api-client.ts';
import { attachTerminal, connectToDyno, frameInput } from './attached-terminal.ts';
import { LineInput } from './line-input.ts';

/** `tailrace attach web.1`: what a running dyno says, and its input. */
export function attachCommand(program: Command): void {
  program
    .command('attach [dyno]')
    .aliases(['ps:attach', 'connect'])
    .description(
      'what a running dyno writes (default: web.1), as it writes it, and its input; Ctrl-] leaves it running',
    )
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .action(async (dyno: string | undefined, options: { app?: string }) => {
      const path = `/dynos/${encodeURIComponent(dyno ?? 'web')}/actions/attach`;
      const endpoint = await resolveEndpoint(options, path);
      const { name, attach_url } = await endpoint.client.request<{ name: string; attach_url: string }>(
        'POST',
        endpoint.path,
        {},
      );
      const { socket, secret } = await connectToDyno(endpoint.client, attach_url);
      const isDetached = await attachTo(socket, secret, name);
      if (isDetached) process.stderr.write(`\nDetached: ${name} goes on.\n`);
      else process.stderr.write(`\n${name} has ended.\n`);
    });
}

/** @returns false when the dyno has ended */
async function attachTo(socket: TLSSocket, secret: string, name: string): Promise<boolean> {
  const { stdin, stdout } = process;
  const frames = frameInput();
  const isTerminal = Boolean(stdin.isTTY && stdout.isTTY);
  let isDetached = false;
  try {
    await attachTerminal(socket, secret, () => {
      frames.pipe(socket, { end: false });
      if (!isTerminal) {
        stdin.pipe(frames);
        return;
      }
      process.stderr.write(
        `Attached to ${name}: a line goes to it with Enter, Ctrl-] or Ctrl-C leaves it.\n`,
      );
      const input = new LineInput();
      const decoder = new StringDecoder('utf8');
      stdin.setRawMode(true);
      stdin.on('data', (data) => {
        const typed = input.type(decoder.write(data));
        stdout.write(typed.echo);
        if (typed.lines !== '') frames.write(typed.lines);
        if (!typed.isDetached || isDetached) return;
        isDetached = true;
        socket.end();
      });
    });
  } finally {
    if (isTerminal) stdin.setRawMode(false);
    stdin.destroy();
    socket.destroy();
  }
  return isDetached;
}
