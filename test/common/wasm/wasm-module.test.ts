import { describe, expect, it } from 'vitest';
import { layOutRegions, loadWasmModule } from '../../../src/common/wasm/wasm-module.ts';

/** Reads and writes of 16 bytes may run so far over the end of a region. */
const OVERRUN_BYTES = 15;

describe('the memory of a WebAssembly fast path', () => {
  it('has its regions in order, far enough apart, and the output behind them', () => {
    const sizes = { prefix: 64, names: 1_000, input: 524_288 };
    const regions = layOutRegions(sizes);
    expect(regions.prefix).toBeGreaterThanOrEqual(1_024);
    expect(regions.names).toBeGreaterThan(regions.prefix + sizes.prefix + OVERRUN_BYTES);
    expect(regions.input).toBeGreaterThan(regions.names + sizes.names + OVERRUN_BYTES);
    expect(regions.output).toBeGreaterThan(regions.input + sizes.input + OVERRUN_BYTES);
    expect(regions.outputEnd).toBeGreaterThan(regions.output);
    expect(regions.outputEnd + OVERRUN_BYTES).toBeLessThan(2_097_152);
  });

  it('can’t be laid out when nothing remains for the output', () => {
    expect(() => layOutRegions({ input: 2_097_152 })).toThrow('no memory for the output');
  });

  it('must have the size that is laid out', () => {
    // A module that exports one page of memory.
    const bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 3, 1, 0, 1, 7, 10, 1, 6];
    const module = Buffer.from([...bytes, ...Buffer.from('memory'), 2, 0]).toString('base64');
    expect(() => loadWasmModule(module)).toThrow('65536 bytes of memory');
  });
});
