import type { Command } from 'commander';
import { print, table } from '../table.ts';
import { chooseDrain, drainCommand } from './drains.ts';

interface TestView {
  readonly accepted: boolean;
  readonly answer: string;
  readonly phases: readonly { readonly phase: string; readonly ms: number }[];
  readonly total_ms: number;
}

const PHASES: Record<string, string> = {
  resolve: 'name resolved',
  connect: 'connected',
  tls: 'TLS handshake',
  send: 'line sent',
  answer: 'answered',
};

/** `tailrace drains:test`: sends one line to a drain, and shows what took how long. */
export function drainsTestCommand(program: Command): void {
  drainCommand(
    program,
    'drains:test',
    'send a test line to a drain and show how long each phase took',
  ).action(async (which: string | undefined, options: { app?: string; json?: boolean }) => {
    const { client, path } = await chooseDrain(which, options);
    const result = await client.ask<TestView>('POST', `${path}/actions/test`, {});
    print(options.json, result, () => describe(result));
    if (!result.accepted) process.exitCode = 1;
  });
}

function describe({ accepted, answer, phases, total_ms }: TestView): string {
  const rows = phases.map(({ phase, ms }) => [PHASES[phase] ?? phase, `${ms.toFixed(1)} ms`]);
  const said = answer ? `: ${answer}` : accepted ? ': sent, and the connection stands' : '';
  const verdict = `${accepted ? 'The test line was accepted' : 'The test line was not accepted'}${said}`;
  return `${table([...rows, ['in all', `${total_ms.toFixed(1)} ms`]])}\n${verdict}`;
}
