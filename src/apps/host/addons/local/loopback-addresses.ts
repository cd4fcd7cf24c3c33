import { networkInterfaces } from 'node:os';

/** The addresses that clients may take for `localhost`; a service may refuse to start when it can't have one that it was told. */
export function loopbackAddresses(): readonly string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((all) =>
    (all ?? []).map((one) => one.address),
  );
  return ['127.0.0.1', ...(addresses.includes('::1') ? ['::1'] : [])];
}
