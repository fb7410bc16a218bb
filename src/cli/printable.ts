/** What a server says contains names and reasons of others, which must not control the terminal. */
export const printable = (line: string): string => line.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
