/**
 * What some work takes of a processor, in milliseconds: the clock says more on a machine that does other things as well. It is of the
 * whole process, with what compiles and collects garbage beside it.
 */
export function processorMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
