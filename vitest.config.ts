import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Files of one worker share its process and the modules in it: a third of a second of processor time for each of them. What a file
    // changes for all, such as process.env, it would have to put back.
    isolate: false,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.unit.test.ts'],
          setupFiles: ['test/support/no-servers.ts'],
          maxWorkers: 4,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, 'test/**/*.unit.test.ts'],
          globalSetup: ['test/support/build.ts'],
          // Two cores, but most tests wait for real servers most of the time.
          maxWorkers: 4,
        },
      },
    ],
    coverage: {
      // Also what no test loads.
      include: ['src/**/*.ts', 'src/**/*.tsx'],
      exclude: ['src/**/*.as.ts', 'src/**/*-binary.ts'],
      reporter: ['text', 'html'],
    },
  },
});
