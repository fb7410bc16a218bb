// All plugins of CoreDNS that the migration knows, by name.

import type { Plugin } from './plugin.ts';
import { cache } from './plugin-cache.ts';
import { forward } from './plugin-forward.ts';
import { kubernetes } from './plugin-kubernetes.ts';
import { acl, autopath, log, rewrite } from './plugins-front.ts';
import { dns64, hosts, template } from './plugins-local.ts';
import {
  bind,
  bufsize,
  chaos,
  health,
  loadbalance,
  loop,
  others,
  prometheus,
  ready,
  reload,
  timeouts,
} from './plugins-server.ts';

const all: readonly Plugin[] = [
  kubernetes,
  forward,
  cache,
  hosts,
  template,
  dns64,
  rewrite,
  acl,
  autopath,
  log,
  bind,
  health,
  ready,
  prometheus,
  bufsize,
  chaos,
  timeouts,
  loadbalance,
  loop,
  reload,
  ...others,
];

export const PLUGINS: ReadonlyMap<string, Plugin> = new Map(all.map((plugin) => [plugin.name, plugin]));
