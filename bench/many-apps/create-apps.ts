/** Apps of a measurement, many of them. */
import type { BenchServer } from '../rig/bench-server.ts';

/** Requests at a time while apps are made. */
const AT_A_TIME = 32;

/** An app, and the token of its source `app`. */
export interface BenchApp {
  readonly name: string;
  readonly token: string;
}

/** Creates apps; each is given to `also`, with its number. */
export async function createApps(
  server: BenchServer,
  count: number,
  also: (app: BenchApp, number: number) => Promise<void> = async () => {},
): Promise<BenchApp[]> {
  const apps: BenchApp[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) {
      const number = next++;
      const name = `app-${number}`;
      apps[number] = { name, token: await server.createApp(name) };
      await also(apps[number], number);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return apps;
}
