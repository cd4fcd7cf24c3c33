/** Says at the end which tests passed only when they were tried again, and why they had failed: what is rarely wrong is wrong. */
import type { Reporter, TestModule } from 'vitest/node';

export class FlakyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const flaky = modules.flatMap((module) =>
      [...module.children.allTests('passed')].filter((test) => test.diagnostic()?.flaky),
    );
    for (const test of flaky) {
      const [error] = test.result().errors ?? [];
      process.stderr.write(
        `tailrace: passed when it was tried again: ${test.module.relativeModuleId} > ${test.fullName}\n${error?.message ?? ''}\n${error?.stacks?.map(({ file, line }) => `  at ${file}:${line}`).join('\n') ?? ''}\n`,
      );
    }
  }
}
