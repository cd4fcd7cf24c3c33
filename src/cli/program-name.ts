import { nameProgram } from '../common/text/program-name.ts';

/**
 * How this program was called, for hints that people copy: `tailrace`, or `npx tailrace` where it may be that only npx finds it.
 * @param env npm says in `npm_lifecycle_event` what it runs: `npx`, or a script of package.json such as `start`
 */
export function programName(env: NodeJS.ProcessEnv = process.env): string {
  return ['npx', 'start'].includes(env.npm_lifecycle_event ?? '') ? 'npx tailrace' : 'tailrace';
}

/** A text whose commands are as they are called here. */
export function withProgramName(text: string, name: string = programName()): string {
  return nameProgram(text, name);
}
