/** Characters by their names, for the WebAssembly fast paths. */

export const TAB: u32 = 0x09;
export const NEWLINE: u32 = 0x0a;
export const RETURN: u32 = 0x0d;
export const SPACE: u32 = 0x20;
export const QUOTE: u32 = 0x22;
export const APOSTROPHE: u32 = 0x27;
export const COMMA: u32 = 0x2c;
export const DASH: u32 = 0x2d;
export const DOT: u32 = 0x2e;
export const SLASH: u32 = 0x2f;
export const COLON: u32 = 0x3a;
export const LESS_THAN: u32 = 0x3c;
export const EQUALS: u32 = 0x3d;
export const OPEN_BRACKET: u32 = 0x5b;
export const BACKSLASH: u32 = 0x5c;
export const CLOSE_BRACKET: u32 = 0x5d;
export const OPEN_BRACE: u32 = 0x7b;
export const CLOSE_BRACE: u32 = 0x7d;
