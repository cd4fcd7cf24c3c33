import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/build.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores, but most tests wait for real servers most of the time.
    maxWorkers: 4,
    reporters: process.env.CI ? ['default'] : ['default'],
  },
});
