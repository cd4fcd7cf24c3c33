/** Redis deployments as in production: a master with replicas and Sentinels, a Cluster. */
import { execFileSync } from 'node:child_process';
import { until } from '../until.ts';
import { RedisServer } from './redis-server.ts';

const MASTER_NAME = 'logs';

/** A master, a replica and three Sentinels. */
export class RedisSentinels {
  readonly servers: [RedisServer, RedisServer];
  readonly sentinels: readonly RedisServer[];

  private constructor(servers: [RedisServer, RedisServer], sentinels: readonly RedisServer[]) {
    this.servers = servers;
    this.sentinels = sentinels;
  }

  /** @param config lines of the servers' redis.conf. */
  static async start(config: readonly string[] = []): Promise<RedisSentinels> {
    const master = await RedisServer.start({ config });
    const replica = await RedisServer.start({ config: [...config, `replicaof 127.0.0.1 ${master.port}`] });
    await until('the replica is in sync', async () =>
      String(await replica.command('info', 'replication')).includes('master_link_status:up'),
    );
    const watch = [
      `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${master.port} 2`,
      `sentinel down-after-milliseconds ${MASTER_NAME} 500`,
      `sentinel failover-timeout ${MASTER_NAME} 3000`,
    ];
    const sentinels = await Promise.all(
      [1, 2, 3].map(() => RedisServer.start({ sentinel: true, config: watch })),
    );
    const all = new RedisSentinels([master, replica], sentinels);
    await until('the Sentinels know each other and the replica', async () => {
      for (const sentinel of sentinels) {
        const info = String(await sentinel.command('info', 'sentinel'));
        if (!/status=ok.*slaves=1,sentinels=3/.test(info)) return false;
      }
      return true;
    });
    return all;
  }

  get url(): string {
    const hosts = this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
    return `redis+sentinel://${hosts}/${MASTER_NAME}`;
  }

  /** The master, by a Sentinel. */
  async master(asked = this.sentinels[0]): Promise<RedisServer> {
    const [, port] = (await asked.command('sentinel', 'get-master-addr-by-name', MASTER_NAME)) as string[];
    const found = this.servers.find((server) => server.port === Number(port));
    if (!found) throw new Error(`no server of ours has port ${port}`);
    return found;
  }

  /**
   * Kills the master, and resolves when the replica is one; the old master is started again as its replica. (The Sentinels
   * would do that too, ten seconds later.)
   */
  async failOver(): Promise<void> {
    const old = await this.master();
    await old.signal('SIGKILL');
    try {
      const next = await until('another master', async () => {
        const found = await this.master();
        return found === old ? undefined : found;
      });
      old.addConfig(`replicaof 127.0.0.1 ${next.port}`);
    } finally {
      // Also when the other one couldn't take its place: both would be gone.
      await old.start();
    }
  }

  async remove(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((server) => server.remove()));
  }
}

/** Three masters, each with as many replicas as wanted. */
export class RedisCluster {
  readonly servers: readonly RedisServer[];

  private constructor(servers: readonly RedisServer[]) {
    this.servers = servers;
  }

  /** @param config lines of the servers' redis.conf. */
  static async start(config: readonly string[] = [], replicas = 0): Promise<RedisCluster> {
    const all = ['cluster-enabled yes', 'cluster-node-timeout 2000', ...config];
    const servers = await Promise.all(
      Array.from({ length: 3 * (1 + replicas) }, () => RedisServer.start({ config: all })),
    );
    const nodes = servers.map(({ port }) => `127.0.0.1:${port}`);
    const options = ['--cluster-replicas', `${replicas}`, '--cluster-yes'];
    execFileSync('redis-cli', ['--cluster', 'create', ...nodes, ...options], { stdio: 'ignore' });
    await until('the Cluster is up', async () => {
      for (const server of servers) {
        if (!String(await server.command('cluster', 'info')).includes('cluster_state:ok')) return false;
        // A master takes no failover from a replica of which it hasn't heard yet that it is one of its own.
        const nodes = String(await server.command('cluster', 'nodes'));
        if ((nodes.match(/\bslave /g) ?? []).length !== 3 * replicas) return false;
        const replication = String(await server.command('info', 'replication'));
        if (replication.includes('role:slave') && !replication.includes('master_link_status:up'))
          return false;
        if (replication.includes('role:master') && !replication.includes(`connected_slaves:${replicas}`))
          return false;
      }
      return true;
    });
    return new RedisCluster(servers);
  }

  get url(): string {
    return `redis+cluster://${this.servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  /** The master that holds a key. */
  async masterOf(key: string): Promise<RedisServer> {
    for (const server of this.servers) {
      if (server.hasExited) continue;
      const slot = Number(await server.command('cluster', 'keyslot', key));
      const found = (await server.command('cluster', 'slots')) as [number, number, [string, number]][];
      const [, , [, port]] = found.find(([first, last]) => first <= slot && slot <= last) ?? [0, 0, ['', 0]];
      const master = this.servers.find((one) => one.port === port);
      if (master) return master;
    }
    throw new Error(`no server of ours holds ${key}`);
  }

  /** Kills the master that holds a key; resolves when a replica has taken its place. */
  async failOver(key: string): Promise<void> {
    const old = await this.masterOf(key);
    await old.signal('SIGKILL');
    try {
      await until('another master', async () => (await this.masterOf(key)) !== old);
    } finally {
      // Also when no replica could take its place: nobody would have its slots.
      await old.start();
    }
  }

  async remove(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.remove()));
  }
}
