import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/build.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores, but most tests wait for real servers most of the time.
    maxWorkers: 4,
    // Files of one worker share its process and the modules in it: a third of a second of processor time for each of them. What a file
    // changes for all, such as process.env, it would have to put back.
    isolate: false,
  },
});
