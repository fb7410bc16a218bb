// Where Chromium is, as packages install it.
import { existsSync } from 'node:fs';

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** undefined: there is none. */
export const chromiumPath = (): string | undefined =>
  [process.env.CHROMIUM, ...PATHS].find((path) => path !== undefined && existsSync(path));
