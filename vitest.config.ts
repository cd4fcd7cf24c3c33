import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { FlakyReporter } from './test/support/runner/flaky-reporter.ts';
import { createTemporaryFolder } from './test/support/runner/memory-folder.ts';

/** What takes longest: begun last, it would go on alone at the end. */
const LONGEST_FIRST = [
  // It looks at all functions of its process: few, yet.
  '/test/fuzz/engine/',
  '/test/install/',
  '/test/torture/',
  '/test/soak/',
  '/test/e2e/routers/drain-leases',
  '/test/e2e/apps/twelve-apps',
  '/test/e2e/upkeep/restart',
  '/test/drains/viewer/exactly-once',
  '/test/e2e/apps/builds/',
  '/test/e2e/',
  '/test/cli/apps/',
  '/test/web/',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST_FIRST.findIndex((part) => moduleId.includes(part));
      return at === -1 ? LONGEST_FIRST.length : at;
    };
    const sorted = await super.sort(files);
    return sorted.sort((one, other) => place(one) - place(other));
  }
}

const cpuCount = process.env.TEST_CPU ? ['test/support/runner/file-cpu.ts'] : [];

export default defineConfig({
  test: {
    // For what hangs. Beside much else (4 programs that do nothing but compute, on two cores) the longest ones take some minutes.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // As long as `until` waits.
    expect: { poll: { timeout: 40_000 } },
    // Files of one worker share its process and the modules in it: a third of a second of processor time for each of them. What a file
    // changes for all, such as process.env, it would have to put back.
    isolate: false,
    // Compiled modules are kept for the next run: of system tests behind unit tests, or of whoever works here.
    experimental: { fsModuleCache: true },
    sequence: { sequencer: LongestFirst },
    env: { TMPDIR: createTemporaryFolder() },
    reporters: ['default', new FlakyReporter()],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.unit.test.ts'],
          setupFiles: ['test/support/runner/no-servers.ts', ...cpuCount],
          // Not among the others: a worker goes on with files of its own kind alone, and else ends.
          sequence: { groupOrder: 0 },
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, 'test/**/*.unit.test.ts'],
          globalSetup: ['test/support/runner/build.ts'],
          setupFiles: cpuCount,
          // Two cores, but most tests wait for real servers most of the time. `npm test` says in the end how busy the processors were.
          maxWorkers: 6,
          // Beside so many others a test may have to wait longer than it is willing to: it is tried once more, and the report says so. On a
          // developer's machine it fails.
          retry: process.env.CI ? 1 : 0,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    coverage: {
      // Also what no test loads.
      include: ['src/**/*.ts', 'src/**/*.tsx'],
      exclude: ['{src,drains}/**/*.as.ts', '{src,drains}/**/*-binary.ts'],
      reporter: ['text', 'html'],
    },
  },
});
