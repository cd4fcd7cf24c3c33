/** What the user in `REDIS_URL` must be allowed to do (`ACL SETUSER`): the one list of it, which docs/redis.md repeats. */

/**
 * When a command is needed: always, with `REDIS_WAIT`, with a database other than 0, in a Cluster, to delete lines; or only so that people see who a
 * connection is of, or what a stream takes, and nobody complains when it isn't allowed.
 */
export type CommandNeed = 'always' | 'wait' | 'database' | 'cluster' | 'deletion' | 'label' | 'sizes';

/** Names as ACL rules have them. What is atomic is a script; a command that runs in one needs the same permission. */
const REQUIRED_COMMANDS: Readonly<Record<CommandNeed, readonly string[]>> = {
  always: [
    ...['eval', 'evalsha', 'info', 'time', 'subscribe', 'unsubscribe', 'publish'],
    ...['get', 'set', 'incr', 'exists', 'unlink', 'pexpire', 'persist', 'pttl', 'scan'],
    ...['hget', 'hmget', 'hgetall', 'hset', 'hdel', 'hlen', 'zadd', 'zrem', 'zrangebylex'],
    ...['xadd', 'xrange', 'xrevrange', 'xtrim'],
  ],
  wait: ['wait'],
  database: ['select'],
  cluster: ['cluster|slots', 'asking'],
  deletion: ['rename'],
  label: ['client|setname'],
  sizes: ['memory|usage'],
};

/** The keys and channels that are used. */
const KEY_RULE = '~tailrace:*';
const CHANNEL_RULE = '&tailrace:*';

/** All rules that a user needs, by default for any deployment. */
export function requiredRules(
  needs: readonly CommandNeed[] = Object.keys(REQUIRED_COMMANDS) as CommandNeed[],
): string[] {
  const commands = needs.flatMap((need) => REQUIRED_COMMANDS[need]);
  return [KEY_RULE, CHANNEL_RULE, ...commands.map((name) => `+${name}`)];
}

/** Says which rules are missing, and what to do. */
export function missingRulesText(rules: readonly string[]): string {
  return `Redis doesn't let the user in REDIS_URL do all that is needed: give it ${rules.join(' ')} with ACL SETUSER (docs/redis.md has the whole list).`;
}

/**
 * The rule that is missing when Redis says this.
 * @param command the one that was refused, when what Redis says doesn't name it (as in scripts).
 * @returns undefined when nobody names it.
 */
export function ruleFor(said: string, command?: string): string | undefined {
  if (/\bkeys?\b/i.test(said)) return KEY_RULE;
  if (/\bchannels?\b/i.test(said)) return CHANNEL_RULE;
  const name = /run the '([^']+)' command/.exec(said)?.[1] ?? command;
  return name && `+${name.toLowerCase()}`;
}
