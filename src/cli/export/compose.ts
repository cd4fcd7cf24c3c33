/** Docker Compose: a service for each process type. Docker's own syslog driver sends the lines. */
import { containerCommand, type ExportResult, type ExportSpec, runnableProcesses } from './export-spec.ts';
import { toYaml } from './yaml.ts';

/** Where web dynos listen, each in its own container. */
const CONTAINER_PORT = 5000;
const containerLabel = (name: string): string => `{{index .ContainerLabels "com.docker.compose.${name}"}}`;

export function exportCompose(spec: ExportSpec): ExportResult {
  const { app, image, basePort, syslog } = spec;
  const services = runnableProcesses(spec).map(({ type, command, quantity }) => [
    type.toLowerCase(),
    {
      image,
      // Compose puts variables in for what begins with a dollar sign.
      command: containerCommand(command).map((word) => word.replaceAll('$', '$$$$')),
      env_file: [`${app}.env`],
      environment: { ...(type === 'web' ? { PORT: String(CONTAINER_PORT) } : {}), PYTHONUNBUFFERED: '1' },
      ...(type === 'web' ? { ports: [`127.0.0.1:${portRange(basePort, quantity)}:${CONTAINER_PORT}`] } : {}),
      deploy: { replicas: quantity },
      init: true,
      restart: 'always',
      stop_grace_period: '30s',
      logging: {
        driver: 'syslog',
        options: {
          'syslog-address': `tcp://${syslog}`,
          'syslog-format': 'rfc5424micro',
          // The token, and the dyno: web.1
          tag: `\${TAILRACE_TOKEN}/${containerLabel('service')}.${containerLabel('container-number')}`,
          // No backpressure on the app while the server is unavailable; what doesn't fit is dropped by Docker.
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
      { name: 'compose.yaml', text: head + toYaml({ name: app, services: Object.fromEntries(services) }) },
      { name: `${app}.env`, text: envFile(spec.config), isSecret: true },
      { name: '.env', text: `TAILRACE_TOKEN=${spec.token}\n`, isSecret: true },
    ],
    nextSteps: [`build the app's image as ${image}; then, in this folder:`, 'docker compose up -d'],
  };
}

function portRange(base: number, quantity: number): string {
  return quantity === 1 ? String(base) : `${base}-${base + quantity - 1}`;
}

/** Single quotes keep everything as it is; where there is one inside, double quotes with escapes. */
function envFile(config: ExportSpec['config']): string {
  return Object.entries(config)
    .map(([name, value]) => {
      if (!/['\n\r]/.test(value)) return `${name}='${value}'\n`;
      const escaped = value.replace(/[\\"$]/g, (character) => `\\${character}`);
      return `${name}="${escaped.replaceAll('\n', '\\n').replaceAll('\r', '\\r')}"\n`;
    })
    .join('');
}
