/** The services that are known, by the names that Heroku's users type: those of the years of `heroku addons:add`, and today's. */
import { type AddonPlan, type CatalogService, LOCAL_PLAN } from './catalog-entry.ts';

const DEV_CENTER = 'https://devcenter.heroku.com/articles/';
const URL_VAR = { URL: 'url' } as const;
const SMTP_VARS = {
  SMTP_SERVER: 'host',
  SMTP_PORT: 'port',
  SMTP_LOGIN: 'username',
  SMTP_PASSWORD: 'password',
  SMTP_CA_CERT: 'ca',
} as const;
const MEMCACHE_VARS = { SERVERS: 'servers', USERNAME: 'username', PASSWORD: 'password' } as const;

/** With the limits that Heroku's plans of these names have. */
const POSTGRES_PLANS: readonly AddonPlan[] = [
  { ...LOCAL_PLAN, connections: 100 },
  {
    name: 'essential-0',
    description: '20 connections',
    aliases: ['mini', 'hobby-dev', 'basic', 'hobby-basic', 'essential-1'],
    connections: 20,
  },
  { name: 'essential-2', description: '40 connections', connections: 40 },
  { name: 'standard-0', description: '120 connections', aliases: ['crane', 'premium-0'], connections: 120 },
  { name: 'standard-2', description: '400 connections', aliases: ['kappa', 'premium-2'], connections: 400 },
];

const REDIS_PLANS: readonly AddonPlan[] = [
  LOCAL_PLAN,
  {
    name: 'mini',
    description: '25 MB, 20 connections',
    aliases: ['hobby-dev'],
    memoryMb: 25,
    connections: 20,
  },
  { name: 'premium-0', description: '50 MB, 40 connections', memoryMb: 50, connections: 40 },
  { name: 'premium-1', description: '100 MB, 80 connections', memoryMb: 100, connections: 80 },
  { name: 'premium-2', description: '250 MB, 200 connections', memoryMb: 250, connections: 200 },
  { name: 'premium-3', description: '500 MB, 400 connections', memoryMb: 500, connections: 400 },
  { name: 'premium-5', description: '1 GB, 1,000 connections', memoryMb: 1_024, connections: 1_000 },
];

const MEMCACHE_PLANS: readonly AddonPlan[] = [
  { ...LOCAL_PLAN, memoryMb: 64 },
  { name: '5mb', description: '5 MB', memoryMb: 5 },
  { name: '25mb', description: '25 MB', memoryMb: 25 },
  { name: '100', description: '100 MB', aliases: ['100mb'], memoryMb: 100 },
  { name: '250', description: '250 MB', aliases: ['250mb'], memoryMb: 250 },
  { name: '500', description: '500 MB', aliases: ['500mb'], memoryMb: 500 },
  { name: '1000', description: '1 GB', aliases: ['1gb'], memoryMb: 1_024 },
];

/** Every service that is known without a partner's manifest. */
export const CATALOG: readonly CatalogService[] = [
  {
    name: 'heroku-postgresql',
    humanName: 'Heroku Postgres',
    description: 'PostgreSQL on this machine',
    provider: 'local',
    spellings: {
      postgresql: {},
      postgres: {},
      pg: {},
      'shared-database': {},
    },
    prefix: 'DATABASE',
    colorPrefix: 'HEROKU_POSTGRESQL',
    configVars: URL_VAR,
    namePrefix: 'postgresql',
    process: 'postgres',
    plans: POSTGRES_PLANS,
    docsUrl: `${DEV_CENTER}heroku-postgresql`,
  },
  {
    name: 'heroku-redis',
    humanName: 'Heroku Key-Value Store',
    description: 'Redis on this machine',
    provider: 'local',
    spellings: {
      redis: {},
      redistogo: { prefix: 'REDISTOGO' },
      rediscloud: { prefix: 'REDISCLOUD' },
      openredis: { prefix: 'OPENREDIS' },
      redisgreen: { prefix: 'REDISGREEN' },
      'heroku-data-for-redis': {},
    },
    prefix: 'REDIS',
    colorPrefix: 'HEROKU_REDIS',
    configVars: URL_VAR,
    namePrefix: 'redis',
    process: 'redis',
    plans: REDIS_PLANS,
    docsUrl: `${DEV_CENTER}heroku-redis`,
  },
  {
    name: 'memcachier',
    humanName: 'MemCachier',
    description: 'memcached on this machine',
    provider: 'local',
    spellings: {
      memcache: { prefix: 'MEMCACHE' },
      memcached: { prefix: 'MEMCACHE' },
      memcachedcloud: { prefix: 'MEMCACHEDCLOUD' },
    },
    prefix: 'MEMCACHIER',
    configVars: MEMCACHE_VARS,
    namePrefix: 'memcachier',
    process: 'memcached',
    plans: MEMCACHE_PLANS,
    docsUrl: `${DEV_CENTER}memcachier`,
  },
  {
    name: 'mongolab',
    humanName: 'MongoDB',
    description: 'MongoDB on this machine',
    provider: 'local',
    spellings: {
      mongodb: { prefix: 'MONGODB' },
      mongo: { prefix: 'MONGODB' },
      mongohq: { prefix: 'MONGOHQ', configVars: URL_VAR },
      ormongo: { prefix: 'ORMONGO', configVars: URL_VAR },
    },
    prefix: 'MONGOLAB',
    configVars: { URI: 'url' },
    namePrefix: 'mongodb',
    process: 'mongodb',
    plans: [LOCAL_PLAN],
    docsUrl: `${DEV_CENTER}ormongo`,
  },
  {
    name: 'mailgun',
    humanName: 'Mailgun',
    description: 'catches all e-mail of development on this machine',
    provider: 'local',
    spellings: {
      email: { prefix: 'MAIL' },
      mail: { prefix: 'MAIL' },
      sendgrid: {
        prefix: 'SENDGRID',
        configVars: {
          USERNAME: 'username',
          PASSWORD: 'password',
          SMTP_SERVER: 'host',
          SMTP_PORT: 'port',
          SMTP_CA_CERT: 'ca',
        },
      },
      mandrill: {
        prefix: 'MANDRILL',
        configVars: { ...SMTP_VARS, USERNAME: 'username', APIKEY: 'password' },
      },
      postmark: {
        prefix: 'POSTMARK',
        configVars: {
          SMTP_SERVER: 'host',
          SMTP_PORT: 'port',
          API_KEY: 'username',
          API_TOKEN: 'username',
          SMTP_CA_CERT: 'ca',
        },
      },
      mailtrap: {
        prefix: 'MAILTRAP',
        configVars: {
          HOST: 'host',
          PORT: 'port',
          USER: 'username',
          PASSWORD: 'password',
          CA_CERT: 'ca',
        },
      },
    },
    prefix: 'MAILGUN',
    configVars: SMTP_VARS,
    namePrefix: 'mail',
    process: 'mail',
    plans: [
      LOCAL_PLAN,
      {
        name: 'no-tls',
        description: 'without STARTTLS, for clients that know no certificate but public ones',
      },
    ],
    docsUrl: `${DEV_CENTER}mailgun`,
    hasPage: true,
  },
  {
    name: 'sentry',
    humanName: 'Sentry',
    description: 'collects errors on this machine, from the SDKs of Sentry',
    provider: 'local',
    spellings: { errors: {}, raven: {} },
    prefix: 'SENTRY',
    configVars: { DSN: 'dsn' },
    namePrefix: 'sentry',
    process: 'sentry',
    plans: [LOCAL_PLAN],
    docsUrl: `${DEV_CENTER}sentry`,
    hasPage: true,
  },
  {
    name: 'newrelic',
    humanName: 'App performance',
    description: 'throughput, latency and memory of the app, on this machine',
    provider: 'local',
    spellings: { metrics: { prefix: 'METRICS' }, librato: { prefix: 'LIBRATO' } },
    prefix: 'NEW_RELIC',
    configVars: { URL: 'url' },
    namePrefix: 'metrics',
    process: 'metrics',
    plans: [{ ...LOCAL_PLAN, aliases: [...(LOCAL_PLAN.aliases ?? []), 'standard', 'wayne'] }],
    samplesDynos: true,
    docsUrl: `${DEV_CENTER}newrelic`,
    hasPage: true,
  },
  {
    name: 'papertrail',
    humanName: 'Papertrail',
    description: "the app's log, kept and searched on this machine",
    provider: 'local',
    spellings: {
      logging: { prefix: 'LOGGING' },
      logentries: { prefix: 'LOGENTRIES' },
      loggly: { prefix: 'LOGGLY' },
    },
    prefix: 'PAPERTRAIL',
    configVars: { API_TOKEN: 'token', URL: 'url' },
    namePrefix: 'papertrail',
    process: 'papertrail',
    plans: [{ ...LOCAL_PLAN, aliases: [...(LOCAL_PLAN.aliases ?? []), 'choklad', 'fixa'] }],
    docsUrl: `${DEV_CENTER}papertrail`,
    hasPage: true,
  },
];
