/** Docker Compose: a service for each process type. Docker's own syslog driver sends the lines. */
import { asLast, type Export, type Plan, running } from './plan.ts';
import { yaml } from './yaml.ts';

/** Where web dynos listen, each in its own container. */
const PORT = 5000;
const label = (name: string): string => `{{index .ContainerLabels "com.docker.compose.${name}"}}`;

export function compose(plan: Plan): Export {
  const { app, image, basePort, syslog } = plan;
  const services = running(plan).map(({ type, command, quantity }) => [
    type.toLowerCase(),
    {
      image,
      // Compose puts variables in for what begins with a dollar sign.
      command: ['/bin/sh', '-c', asLast(command).replaceAll('$', '$$$$')],
      env_file: [`${app}.env`],
      environment: { ...(type === 'web' ? { PORT: String(PORT) } : {}), PYTHONUNBUFFERED: '1' },
      ...(type === 'web' ? { ports: [`127.0.0.1:${ports(basePort, quantity)}:${PORT}`] } : {}),
      deploy: { replicas: quantity },
      init: true,
      restart: 'always',
      stop_grace_period: '30s',
      logging: {
        driver: 'syslog',
        options: {
          'syslog-address': `tcp://${syslog}`,
          'syslog-format': 'rfc5424micro',
          // The token, and who speaks: web.1
          tag: `\${TAILRACE_TOKEN}/${label('service')}.${label('container-number')}`,
          // A server that is away for a while doesn't hold up the app; what doesn't fit is lost, by Docker's choice.
          mode: 'non-blocking',
          'max-buffer-size': '8m',
        },
      },
    },
  ]);
  const head =
    '# Lines: Docker sends them to the server over syslog; TAILRACE_TOKEN is in .env, beside this file.\n';
  return {
    files: [
      { name: 'compose.yaml', text: head + yaml({ name: app, services: Object.fromEntries(services) }) },
      { name: `${app}.env`, text: envFile(plan.config), isSecret: true },
      { name: '.env', text: `TAILRACE_TOKEN=${plan.token}\n`, isSecret: true },
    ],
    next: [`build the app's image as ${image}; then, in this folder:`, 'docker compose up -d'],
  };
}

function ports(base: number, quantity: number): string {
  return quantity === 1 ? String(base) : `${base}-${base + quantity - 1}`;
}

/** Single quotes keep everything as it is; where there is one inside, double quotes with escapes. */
function envFile(config: Plan['config']): string {
  return Object.entries(config)
    .map(([name, value]) => {
      if (!/['\n\r]/.test(value)) return `${name}='${value}'\n`;
      const escaped = value.replace(/[\\"$]/g, (character) => `\\${character}`);
      return `${name}="${escaped.replaceAll('\n', '\\n').replaceAll('\r', '\\r')}"\n`;
    })
    .join('');
}
