import { Gauge, type Registry } from 'prom-client';
import type { CertificateFiles } from '../../common/tls/certificate-files.ts';

/** Registers when each certificate expires, and whether what is in its file now is used. */
export function registerCertificateMetrics(registry: Registry, certificates: CertificateFiles): void {
  const common = { labelNames: ['file'] as const, registers: [registry] };
  new Gauge({
    name: 'tailrace_certificate_expiry_timestamp_seconds',
    help: 'When the certificate that is in use expires, Unix time.',
    ...common,
    collect() {
      for (const { file, notAfter } of certificates.states) this.set({ file }, notAfter.getTime() / 1_000);
    },
  });
  new Gauge({
    name: 'tailrace_certificate_stale',
    help: "1 when what is in the certificate's files now can't be used, so that the one from before is.",
    ...common,
    collect() {
      for (const { file, trouble } of certificates.states) this.set({ file }, trouble === undefined ? 0 : 1);
    },
  });
}
