/**
 * Runs all measurements, one after the other, and writes `bench/RESULTS.md` and its picture.
 *
 *   npm run bench [-- --runs 5]
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as dynoOutput from './apps/dyno-output.ts';
import * as httpRouter from './apps/http-router.ts';
import * as noisyNeighborDyno from './apps/noisy-neighbor-dyno.ts';
import * as scaleDynos from './apps/scale-dynos.ts';
import * as drainRecovery from './drains/drain-recovery.ts';
import * as outlets from './drains/outlets.ts';
import * as drains from './drains.ts';
import * as httpForms from './forms/http-forms.ts';
import * as history from './history.ts';
import * as httpLogs from './http-logs.ts';
import * as idleApps from './idle-apps.ts';
import * as alternatingApps from './many-apps/alternating.ts';
import * as steadyApps from './many-apps/steady.ts';
import * as hostileDay from './neighbors/hostile-day.ts';
import * as hostileRequests from './neighbors/hostile-requests.ts';
import * as noisyNeighborApp from './neighbors/noisy-neighbor-app.ts';
import * as protocols from './protocols.ts';
import * as redisStore from './redis-store.ts';
import { ROOT } from './rig/processes.ts';
import {
  describeEnvironment,
  formatLoadAverage,
  logProgress,
  type Measurement,
  toMarkdown,
} from './rig/report.ts';
import * as startUp from './start-up.ts';
import * as syslogForms from './syslog-forms.ts';
import * as syslogThrough from './syslog-through.ts';
import * as tailLatency from './tail-latency.ts';
import * as tails from './tails.ts';

const MEASUREMENTS: readonly { readonly measure: Measurement }[] = [
  syslogThrough,
  syslogForms,
  httpForms,
  httpLogs,
  tailLatency,
  tails,
  drains,
  outlets,
  startUp,
  dynoOutput,
  noisyNeighborDyno,
  httpRouter,
  scaleDynos,
  protocols,
  noisyNeighborApp,
  hostileDay,
  hostileRequests,
  redisStore,
  drainRecovery,
  history,
  idleApps,
  alternatingApps,
  steadyApps,
];

const args = process.argv.slice(2);
const parts = [
  '# Results\n\nWritten by `npm run bench`; [README.md](README.md) says what is measured and what the numbers mean.\n',
  `${describeEnvironment()}\n`,
];
logProgress(parts[1]);
for (const { measure } of MEASUREMENTS) {
  try {
    parts.push(toMarkdown(await measure(args)));
  } catch (error) {
    // The other results are still worth having; the exit code tells that one is missing.
    process.exitCode = 1;
    parts.push(`A measurement failed: ${error}\n`);
    logProgress(parts.at(-1)!);
  }
}
parts.push(
  `Load average after: ${formatLoadAverage()}. The measurements alone bring it to about 2: what is above came from others.\n`,
);
const text = parts.join('\n');
writeFileSync(join(ROOT, 'bench', 'RESULTS.md'), text);
process.stdout.write(text);
await import('./picture/draw.ts');
process.exit();
