/** Errors of Redis and of the connection to it, each as one sentence with what to do. */
import { type ErrorCode, systemCode, TailraceError } from '../../../../common/errors.ts';
import { missingRulesText, ruleFor } from './acl-rules.ts';

interface ErrorRule {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly text: string | ((detail: string) => string);
  /** What else is said once the server has started. */
  readonly whileRunning?: string;
}

/** In the order in which they are tried; errors of a script contain the original one in their text. */
const ERROR_RULES: readonly ErrorRule[] = [
  {
    pattern: /\bOOM\b/,
    code: 'store_full',
    text: 'Redis is out of memory: raise its maxmemory, or hold less (TAILRACE_STREAM_BYTES, TAILRACE_STREAM_AGE); nothing that was accepted is lost.',
  },
  {
    pattern: /\bMISCONF\b/,
    code: 'store_full',
    text: "Redis can't save to its disk and takes no writes (MISCONF): make room on its disk, its log says what failed.",
  },
  {
    pattern: /\bREADONLY\b/,
    code: 'unavailable',
    text: 'Redis is a read-only replica: point REDIS_URL at the master, or at the Sentinels (redis+sentinel://…/master).',
  },
  {
    pattern: /\bLOADING\b|Redis is loading/i,
    code: 'unavailable',
    text: 'Redis is loading its data from disk: it will answer in a moment.',
  },
  {
    pattern: /^NOTREADY$/,
    code: 'unavailable',
    text: "Redis takes connections and doesn't answer yet: it is loading its data from disk, or stands still (CLIENT PAUSE, a long command, its disk). What waits goes on when it does.",
  },
  {
    pattern: /\bWRONGPASS\b|invalid password|invalid username/i,
    code: 'settings',
    text: 'Redis refuses the user name or password in REDIS_URL: correct them.',
    whileRunning:
      'What waits goes on when Redis takes this password again: a user may have two (ACL SETUSER) until all routers were started with the new one.',
  },
  {
    pattern: /\bNOAUTH\b|Authentication required/i,
    code: 'settings',
    text: 'Redis asks for a password: put it into REDIS_URL (redis://user:password@host:port).',
  },
  {
    pattern: /\bNOPERM\b|user executing the script|ACL failure in script/i,
    code: 'settings',
    text: (detail) => {
      const rule = ruleFor(detail);
      return rule
        ? missingRulesText([rule])
        : "Redis doesn't let the user in REDIS_URL run all commands that are needed: tailrace doctor names those that are missing.";
    },
  },
  {
    pattern: /\bWRONGTYPE\b/,
    code: 'unavailable',
    text: (detail) =>
      `In Redis ${/tailrace:\S+/.exec(detail)?.[0] ?? 'a key of tailrace'} is of another kind than it should be (WRONGTYPE), so something else has written there: RENAME it, or remove it; lines of its app wait until then.`,
  },
  {
    pattern: /\bCLUSTERDOWN\b|Failed to refresh slots cache|None of startup nodes/i,
    code: 'unavailable',
    text: 'The Redis Cluster is down: some of its slots have no master that answers.',
  },
  {
    pattern: /\bNOREPLICAS\b/,
    code: 'unavailable',
    text: 'Redis has too few replicas that keep up (min-replicas-to-write), and takes no writes until there are more.',
  },
  {
    pattern: /All sentinels are unreachable|sentinel/i,
    code: 'unavailable',
    text: "No Sentinel names a master that answers: check REDIS_URL's hosts and the name of the master.",
  },
  {
    pattern: /certificate has expired|certificate is not yet valid/i,
    code: 'unavailable',
    text: (detail) =>
      `The TLS certificate of Redis${/not yet/.test(detail) ? " isn't valid yet by this machine's clock" : ' has expired'}: renew it, or set the clock; routers connect by themselves then.`,
  },
  {
    pattern: /self.signed|unable to (?:get|verify)|certificate|SSL routines|wrong version number/i,
    code: 'unavailable',
    text: 'No TLS connection to Redis: check that it speaks TLS on this port, and name its CA with REDIS_CA.',
  },
];

/** A command was sent, or may have been, and no answer came: it may run, have run, or still run when the server goes on. */
export class UnansweredCommand extends TailraceError {}

/**
 * May a command that failed like this have run? In a Cluster always: the client sends a command again when a connection breaks, and
 * reports only how the last attempt went.
 */
export function mayHaveRun(error: unknown, isCluster: boolean): boolean {
  if (isCluster) return true;
  if (!(error instanceof Error)) return true;
  return error.name !== 'ReplyError' && !/isn't writeable|isn't ready/.test(error.message);
}

/**
 * Any error of a Redis client as a TailraceError; `where` is the address as it may be printed. The original isn't kept as
 * its cause: it carries the command with all that was sent, passwords too.
 * @param hasStarted has the server started? Until then nothing waits for Redis, and what can't be used ends the start.
 */
export function redisError(error: unknown, where: string, hasStarted: boolean): TailraceError {
  if (error instanceof TailraceError) return error;
  const detail = errorText(error);
  const cause = detail;
  const rule = ERROR_RULES.find(({ pattern }) => pattern.test(detail));
  if (rule) {
    const what = typeof rule.text === 'string' ? rule.text : rule.text(detail);
    const text = hasStarted && rule.whileRunning ? `${what} ${rule.whileRunning}` : what;
    // What was right once is so again when somebody has corrected it: senders wait.
    return new TailraceError(hasStarted && rule.code === 'settings' ? 'unavailable' : rule.code, text, {
      cause,
    });
  }
  const why = detail.slice(0, 160);
  if (error instanceof Error && error.name === 'ReplyError')
    return new TailraceError('unavailable', `Redis at ${where} refuses a command: ${why}`, { cause });
  const then = hasStarted
    ? 'what waits is kept, and goes on by itself when Redis is back'
    : 'start it, or correct its address';
  return new TailraceError(
    'unavailable',
    `Redis at ${where} doesn't answer${why ? ` (${why})` : ''}: ${then}.`,
    { cause },
  );
}

/** Did the connection fail, rather than a command be refused? */
export function isConnectionError(error: unknown): boolean {
  return /Connection is closed|isn't writeable|isn't ready|timed out|ECONN|EPIPE|ETIMEDOUT|max retries/i.test(
    errorText(error),
  );
}

function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner =
    'lastNodeError' in error && error.lastNodeError instanceof Error ? ` ${error.lastNodeError.message}` : '';
  return `${error.message || systemCode(error) || error.name}${inner}`;
}
