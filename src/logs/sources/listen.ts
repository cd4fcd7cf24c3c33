import type { Server } from 'node:net';
import { systemCode, TailraceError } from '../../common/errors.ts';
import { noteListening, socketName, takeInheritedSocket } from '../../common/processes/passed-sockets.ts';
import { urlHost } from '../../common/text/url-host.ts';

/**
 * Resolves when the server listens.
 * @param purpose what it listens for, and `setting` the setting that names its port, for the error.
 * @throws TailraceError `address_in_use` with what to do.
 */
export function listen(
  server: Server,
  { host, port }: { host: string; port: number },
  purpose: string,
  setting: string,
): Promise<void> {
  const name = socketName(setting, port);
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, { host, port }, purpose, setting)));
    server.listen({ host, port, ...takeInheritedSocket(name) }, () => {
      noteListening(name, server);
      resolve();
    });
  });
}

/** What a system says of an address on which nobody can listen here: none of this machine, none at all, of a family that it doesn't have. */
const NO_ADDRESS = ['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EINVAL', 'EAFNOSUPPORT'];

/**
 * The error of a listener that couldn't be opened, with its address and what to do.
 * @param setting the one that names its port
 * @param hostSetting the one that names its address
 */
export function listenError(
  error: unknown,
  { host, port }: { readonly host: string; readonly port: number },
  purpose: string,
  setting: string,
  hostSetting = 'TAILRACE_HOST',
): Error {
  const code = systemCode(error);
  const where = `${urlHost(host)}:${port}`;
  if (code === 'EADDRINUSE')
    return new TailraceError(
      'address_in_use',
      `Port ${port} is taken, so ${purpose} can't listen on ${where}: stop the program that holds it, or set ${setting} to another port (0 for any free one).`,
      { cause: error },
    );
  if (code === 'EACCES' && port < 1_024)
    return new TailraceError(
      'address_in_use',
      `${purpose} can't listen on ${where} (${code}): ports below 1024 are for root and for who has CAP_NET_BIND_SERVICE (AmbientCapabilities= in the unit of systemd). Give it that, or set ${setting} to a port from 1024 on.`,
      { cause: error },
    );
  if (code === 'EACCES' || NO_ADDRESS.includes(code))
    return new TailraceError(
      'address_in_use',
      `${purpose} can't listen on ${where} (${code}): set ${hostSetting} and ${setting} to an address and port of this machine.`,
      { cause: error },
    );
  return error instanceof Error ? error : new Error(String(error));
}

/** The port a listening server got. */
export function boundPort(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}
