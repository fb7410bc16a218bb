/** A server's output contains names and reasons from outside, which must not control the terminal. */
export const printable = (line: string): string => line.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
