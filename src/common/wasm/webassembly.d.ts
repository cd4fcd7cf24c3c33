/** The part of the WebAssembly JavaScript Interface (W3C) that is used here: Node has it, its types don't. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Record<string, unknown>;
  }
  /** Functions by the module of AssemblyScript that declares them, and their names. */
  type Imports = Record<string, Record<string, (...values: number[]) => number>>;
  class Memory {
    readonly buffer: ArrayBuffer;
  }
  class Global {
    value: number;
  }
}
