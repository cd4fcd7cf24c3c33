import type { Command } from 'commander';
import { formatTable, printResult } from '../format.ts';
import { addDrainCommand, resolveDrain } from './drains.ts';

interface DrainTestView {
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
  addDrainCommand(
    program,
    'drains:test',
    'send a test line to a drain and show how long each phase took',
  ).action(async (which: string | undefined, options: { app?: string; json?: boolean }) => {
    const { client, path } = await resolveDrain(which, options);
    const result = await client.request<DrainTestView>('POST', `${path}/actions/test`, {});
    printResult(options.json, result, () => formatTestResult(result));
    if (!result.accepted) process.exitCode = 1;
  });
}

function formatTestResult({ accepted, answer, phases, total_ms }: DrainTestView): string {
  const rows = phases.map(({ phase, ms }) => [PHASES[phase] ?? phase, `${ms.toFixed(1)} ms`]);
  const detail = answer ? `: ${answer}` : accepted ? ': sent, and the connection stands' : '';
  const outcome = `${accepted ? 'The test line was accepted' : 'The test line was not accepted'}${detail}`;
  return `${formatTable([...rows, ['in all', `${total_ms.toFixed(1)} ms`]])}\n${outcome}`;
}
