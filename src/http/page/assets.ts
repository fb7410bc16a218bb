// The script and the style of the page, as built by scripts/build.mjs: served from memory, for ever under an address that
// contains their hash.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Endpoint } from '../endpoint.ts';

export interface Assets {
  readonly script: string;
  readonly style: string;
  readonly endpoints: readonly Endpoint[];
}

/** Beside the bundle; from compiled tests, in the folder of the build. */
const folders = ['./page/', '../../../../dist/page/'].map((path) => new URL(path, import.meta.url));

export function readAssets(): Assets {
  const folder = folders.find((one) => existsSync(fileURLToPath(one))) ?? folders[0];
  const script = asset(folder, 'page.js', 'text/javascript; charset=utf-8');
  const style = asset(folder, 'style.css', 'text/css; charset=utf-8');
  return { script: script.href, style: style.href, endpoints: [script.endpoint, style.endpoint] };
}

function asset(folder: URL, name: string, type: string): { readonly href: string; readonly endpoint: Endpoint } {
  const body = readFileSync(new URL(name, folder));
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 12);
  const headers = { 'cache-control': 'private, max-age=31536000, immutable' };
  return {
    href: `/${name}?${hash}`,
    endpoint: { path: `/${name}`, methods: ['GET'], handle: () => ({ status: 200, type, body, headers }) },
  };
}
