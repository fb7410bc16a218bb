/** The same as in package.json (a test compares them): the bundle is not to read files for it. */
export const VERSION = '0.1.0';
